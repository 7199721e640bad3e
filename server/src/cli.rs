//! The command line: one file per subcommand.

mod account;
mod agent;
mod backup;
mod check;
mod health;
mod import;
mod progress;
mod promqltest;
mod reference;
mod render_template;
mod send;
mod serve;

use std::{collections::BTreeMap, io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Source};

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("BELLWETHER_COMMIT"),
    ", ",
    env!("BELLWETHER_BUILD_DATE"),
    ")"
);

/// Exit code of a wrong use, as clap gives it.
const USAGE: u8 = 2;

#[derive(Debug, Parser)]
#[command(name = "bellwether", version = VERSION, about = "Metrics, alerting and uptime in one program")]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default)
    Serve(ServeArgs),
    /// Check configuration, rule, alerting, monitor, mapping and runbook files, and sample lines
    Check(check::CheckArgs),
    /// Send this machine's metrics to a StatsD listener
    Agent(agent::AgentArgs),
    /// Send a single metric: `bellwether send 'orders.created:1|c'`
    Send(send::SendArgs),
    /// Copy everything the server keeps, while it runs
    Backup(backup::BackupArgs),
    /// Bring a backup back
    Restore(backup::RestoreArgs),
    /// Add history from VictoriaMetrics, OpenMetrics text or Prometheus
    Import(import::ImportArgs),
    /// Manage who can sign in
    #[command(subcommand)]
    User(account::UserCommand),
    /// Manage secrets for programs
    #[command(subcommand)]
    Token(account::TokenCommand),
    /// Ask a running server whether it is ready; exit code 1 when it is not
    Health {
        /// Where to ask
        #[arg(long, default_value = "http://127.0.0.1:8080/-/ready")]
        url: String,
    },
    /// Run scripts in Prometheus's promqltest language
    Promqltest {
        /// `.test` files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show what an annotation would say
    RenderTemplate(render_template::RenderArgs),
    /// Write the reference pages of the documentation
    #[command(hide = true)]
    Reference {
        /// The folder to write to
        #[arg(long)]
        out: PathBuf,
    },
}

/// Which configuration, and what replaces parts of it.
#[derive(Debug, Clone, Default, Args)]
struct ServeArgs {
    /// The configuration file; without one the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to serve the UI and the APIs
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Where to listen for StatsD over UDP
    #[arg(long, value_name = "ADDR")]
    statsd: Option<String>,
}

impl ServeArgs {
    /// Defaults, then the file, then the environment, then flags.
    fn load(&self) -> anyhow::Result<Config> {
        let mut environment: BTreeMap<String, String> = std::env::vars().collect();
        let mut flag = |name: &str, value: String| {
            environment.insert(format!("BELLWETHER_{name}"), value);
        };
        // A flag is a setting like one of the environment, and is checked like one.
        if let Some(data) = &self.data {
            flag("SERVER__DATA_DIR", quoted(&data.to_string_lossy()));
        }
        if let Some(http) = &self.http {
            flag("HTTP__LISTEN", quoted(http));
        }
        if let Some(statsd) = &self.statsd {
            flag("STATSD__UDP", format!("[{}]", quoted(statsd)));
        }
        Ok(config::load(&Source { file: self.config.clone(), environment })?)
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Runs the command line and tells the exit code.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => args.load().and_then(serve::run),
        Command::Check(args) => check::run(&args),
        Command::Agent(args) => agent::run(args),
        Command::Send(args) => send::run(&args),
        Command::Backup(args) => backup::backup(args),
        Command::Restore(args) => backup::restore(args),
        Command::Import(args) => import::run(args),
        Command::User(command) => account::user(command),
        Command::Token(command) => account::token(command),
        Command::Health { url } => health::run(&url),
        Command::Promqltest { files } => promqltest::run(&files),
        Command::RenderTemplate(args) => render_template::run(&args),
        Command::Reference { out } => reference::run(&out),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            fail(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes an error where people look for it.
fn fail(message: &str) {
    // When even stderr is gone there is nobody to tell.
    drop(writeln!(std::io::stderr(), "bellwether: {message}"));
}

/// Writes a line of a command's result.
fn say(line: &str) {
    // A closed pipe means that nobody reads on.
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// A runtime for commands that only need a moment of async code.
fn small_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

//! `bellwether user` and `bellwether token`: people and programs that may come in.
//!
//! They work on the databases, while the server runs or not.

use std::{
    io::{IsTerminal as _, Read as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use api_types::Role;
use clap::{Args, Subcommand, ValueEnum};
use db::Meta;
use model::Clock as _;

use super::{ServeArgs, say};
use crate::{
    app::{self, SystemClock},
    auth,
    config::Config,
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add somebody; the password is read from standard input
    Add {
        name: String,
        /// What they may do
        #[arg(long, value_enum, default_value = "viewer")]
        role: RoleArg,
        #[command(flatten)]
        place: Place,
    },
    /// List everybody
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Change a password, read from standard input; all sessions end
    Passwd {
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Remove somebody
    Remove {
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print its secret, which cannot be read again
    Create {
        name: String,
        /// What it may do
        #[arg(long, value_enum, default_value = "viewer")]
        role: RoleArg,
        #[command(flatten)]
        place: Place,
    },
    /// List all tokens without their secrets
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Make a token useless
    Revoke {
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleArg {
    Viewer,
    Editor,
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Editor => Self::Editor,
            RoleArg::Admin => Self::Admin,
        }
    }
}

/// Which databases.
#[derive(Debug, Clone, Args)]
pub(super) struct Place {
    /// The configuration file that names the data folder or the database
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Place {
    async fn open(self) -> anyhow::Result<Meta> {
        app::open_meta(&self.load()?).await
    }

    /// The configuration, with what replaces parts of it.
    pub(super) fn load(self) -> anyhow::Result<Config> {
        ServeArgs { config: self.config, data: self.data, ..ServeArgs::default() }.load()
    }
}

pub(super) fn user(command: UserCommand) -> anyhow::Result<ExitCode> {
    super::small_runtime()?.block_on(async {
        match command {
            UserCommand::Add { name, role, place } => {
                let meta = place.open().await?;
                let password = read_password()?;
                auth::add_account(&meta, &name, &password, role.into(), SystemClock.now()).await?;
            }
            UserCommand::List { place } => {
                for account in place.open().await?.accounts().await? {
                    say(&format!("{}\t{}", account.name, account.role));
                }
            }
            UserCommand::Passwd { name, place } => {
                let meta = place.open().await?;
                auth::change_password(&meta, &name, &read_password()?).await?;
            }
            UserCommand::Remove { name, place } => {
                place.open().await?.remove_account(&name).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(super) fn token(command: TokenCommand) -> anyhow::Result<ExitCode> {
    super::small_runtime()?.block_on(async {
        match command {
            TokenCommand::Create { name, role, place } => {
                let meta = place.open().await?;
                let secret =
                    auth::create_token(&meta, &name, role.into(), SystemClock.now()).await?;
                say(&secret);
            }
            TokenCommand::List { place } => {
                for token in place.open().await?.tokens().await? {
                    say(&format!("{}\t{}", token.name, token.role));
                }
            }
            TokenCommand::Revoke { name, place } => place.open().await?.revoke_token(&name).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A password never comes as an argument: those can be read by everybody on the machine.
fn read_password() -> anyhow::Result<String> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        super::fail("type the password, then Enter and Ctrl-D");
    }
    let mut password = String::new();
    input.read_to_string(&mut password).context("cannot read the password")?;
    Ok(password.trim_end_matches(['\n', '\r']).to_owned())
}

//! `POST /api/v1/import`: history as lines of JSON, as VictoriaMetrics takes them, with gzip or without.
//!
//! A body may be of any length: it is read while it comes. What it holds is on disk when the answer
//! says so.

use std::{
    io::{self, BufRead, BufReader, Read},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use flate2::bufread::MultiGzDecoder;
use http_body_util::BodyExt as _;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use crate::{
    http::{Shared, guard::Editor},
    import::{ImportError, Importer, Outcome},
    query::blocking,
};

/// Imports at the same time: each holds a batch in memory.
static TURNS: Semaphore = Semaphore::const_new(1);
/// How long a request may wait for its turn before it is asked to come again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the next piece of a body may take.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// Pieces of a body between the network and the reader.
const PIECES: usize = 16;

/// Takes lines; 204 when all were taken, 400 with the reasons when some were not.
pub(super) async fn import(_: Editor, State(app): State<Shared>, request: Request) -> Response {
    let Ok(turn) = timeout(PATIENCE, TURNS.acquire()).await else {
        let message = "another import is under way, try again";
        return refusal(StatusCode::SERVICE_UNAVAILABLE, message.to_owned());
    };
    let encoding = request.headers().get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let is_packed = match encoding {
        None | Some(b"identity") => false,
        Some(b"gzip") => true,
        Some(_) => {
            let message = "the body's encoding is not supported; use gzip or none";
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, message.to_owned());
        }
    };
    let (sender, pieces) = mpsc::channel(PIECES);
    let store = Arc::clone(app.queries.store());
    let now = app.clock.now();
    let reading = blocking(move || {
        let body = BufReader::new(Pieces { pieces, piece: Bytes::new() });
        let mut body: Box<dyn BufRead> = if is_packed {
            Box::new(BufReader::new(MultiGzDecoder::new(body)))
        } else {
            Box::new(body)
        };
        let mut importer = Importer::new(&store, now);
        let read = ::import::read_json_lines(&mut *body, &mut importer, &mut |_, _| ());
        // What came before a failure is taken; the sender may send all of it again.
        let outcome = importer.finish()?;
        read.map(|()| outcome)
    });
    let (outcome, ()) = tokio::join!(reading, forward(request.into_body(), sender));
    drop(turn);
    answer(outcome)
}

fn answer(outcome: Result<Outcome, ImportError>) -> Response {
    match outcome {
        Ok(outcome) if outcome.refused == 0 => StatusCode::NO_CONTENT.into_response(),
        Ok(outcome) => {
            let text = format!("{}\n{outcome}\n", outcome.errors.join("\n"));
            refusal(StatusCode::BAD_REQUEST, text)
        }
        Err(ImportError::Sink(error)) => {
            tracing::error!(error = %model::text::causes(&error), "an import could not be stored");
            let message = "what was read cannot be stored at the moment, try again";
            refusal(StatusCode::SERVICE_UNAVAILABLE, message.to_owned())
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, model::text::causes(&error)),
    }
}

fn refusal(status: StatusCode, message: String) -> Response {
    if status == StatusCode::SERVICE_UNAVAILABLE {
        return (status, [(header::RETRY_AFTER, "30")], message).into_response();
    }
    (status, message).into_response()
}

/// Hands a body over to the reader, piece by piece; a failure too, so that half a body is not taken for
/// a whole one.
async fn forward(mut body: Body, sender: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let piece = match timeout(PIECE_TIMEOUT, body.frame()).await {
            Ok(None) => return,
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Ok(data),
                // Trailers say nothing that matters here.
                Err(_) => continue,
            },
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came for 30 s")),
        };
        let is_last = piece.is_err();
        if sender.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// The pieces of a body, for who reads them on a blocking thread.
struct Pieces {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

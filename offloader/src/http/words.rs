//! `POST /translate`: lines into another language, for captions that are read in another one than they are
//! spoken in.
//!
//! In: a few lines. Out: as many. Not here: who translates (`text`).
//! Invariant: without anybody who translates nothing is sent anywhere.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use proto::offload::{Translated, Translation};

use super::{Api, Refusal, bad, body, caller};
use crate::speech::language;
use crate::text::{self, TextError};

/// Lines of one request, and characters of a line: captions are short.
const MOST_LINES: usize = 20;
const LONGEST_LINE: usize = 4_000;

pub(super) async fn translate(
    State(api): State<Api>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Json<Translated>, Refusal> {
    caller(&api, &headers).await?;
    let asked: Translation = body(&bytes)?;
    let code = |text: &str| {
        language::code(text).ok_or_else(|| bad(format!("`{text}` is not the code of a language")))
    };
    let (from, to) = (code(&asked.from)?, code(&asked.to)?);
    if asked.lines.len() > MOST_LINES || asked.lines.iter().any(|line| line.len() > LONGEST_LINE) {
        return Err(bad(format!(
            "at most {MOST_LINES} lines of {LONGEST_LINE} bytes are translated at once"
        )));
    }
    if from == to || asked.lines.is_empty() {
        return Ok(Json(Translated { lines: asked.lines }));
    }
    let translators = text::translators(&api.text)
        .await
        .map_err(|error| failed(&error))?;
    let translator = translators.iter().find(|one| one.knows(&from, &to));
    let translator = translator.ok_or_else(|| {
        failed(&TextError::NoTranslator {
            from: from.clone(),
            to: to.clone(),
        })
    })?;
    let lines = translator.translate(&from, &to, &asked.lines).await;
    Ok(Json(Translated {
        lines: lines.map_err(|error| failed(&error))?,
    }))
}

fn failed(error: &TextError) -> Refusal {
    let status = match error {
        TextError::NoTranslator { .. } => StatusCode::NOT_IMPLEMENTED,
        TextError::Client { .. }
        | TextError::Network { .. }
        | TextError::Refused { .. }
        | TextError::TooLong { .. }
        | TextError::Unreadable { .. }
        | TextError::Program { .. }
        | TextError::Output { .. } => StatusCode::BAD_GATEWAY,
    };
    Refusal(status, error.to_string())
}

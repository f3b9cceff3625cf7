//! Captions in a reader's own language: each client asks for the lines that it shows.
//!
//! In: a line of captions with its language, the language to read it in. Out: the line in that one.
//! Who reads captions as they are spoken asks for nothing, and knows nothing of this.
//! Not here: who translates (the job service).

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use proto::calls::MAX_CAPTION_BYTES;
use proto::calls::rest::{CaptionInLanguage, CaptionToTranslate};
use proto::offload::Translation;
use signalling_core::NoCall;

use super::answer::body;
use super::channels::readable_or;
use super::person::SignedIn;
use super::{App, Refused};
use crate::door::calls::words;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/calls/{channel}/captions/translate", post(translate))
}

/// `POST /calls/{channel}/captions/translate`: a line of captions in another language. 400 when there is no
/// call, 403 for who is not in it, 501 where nobody translates, 502 when whoever does fails.
async fn translate(
    State(app): State<App>,
    SignedIn(person): SignedIn,
    Path(channel): Path<String>,
    bytes: Bytes,
) -> Result<Json<CaptionInLanguage>, Refused> {
    let no_call = || Refused::bad_request(words::no_call(NoCall));
    let channel = readable_or(&app, &person, channel, no_call).await?;
    let is_there = app.engine.look(&channel, move |call| {
        call.is_running()
            .then(|| call.seats().any(|seat| seat.user == person.id))
    });
    let is_there = is_there.await.flatten().ok_or_else(no_call)?;
    if !is_there {
        return Err(Refused::forbidden());
    }
    let asked: CaptionToTranslate = body(&bytes)?;
    if asked.text.len() > MAX_CAPTION_BYTES {
        let rule = format!("text: at most {MAX_CAPTION_BYTES} bytes are translated");
        return Err(Refused::bad_request(rule));
    }
    let nobody = || {
        Refused::new(
            StatusCode::NOT_IMPLEMENTED,
            "captions are not translated here",
        )
    };
    let jobs = app.engine.jobs.as_ref().ok_or_else(nobody)?;
    let translation = Translation {
        from: asked.from,
        to: asked.to.clone(),
        lines: vec![asked.text],
    };
    let failed = |words: String| Refused::new(StatusCode::BAD_GATEWAY, words);
    let translated = jobs.translate(&translation).await.map_err(failed)?;
    let text = translated.ok_or_else(nobody)?.lines.into_iter().next();
    Ok(Json(CaptionInLanguage {
        language: asked.to,
        text: text.unwrap_or_default(),
    }))
}

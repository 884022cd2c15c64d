//! The token endpoint for one client and one grant, and the protected resource, as one would write
//! them with axum: the same checks and the same answers as the program being measured, but nothing
//! else that it does (throttling, metrics, expiry, limits).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

type Tokens = Arc<Mutex<HashMap<[u8; 20], Instant>>>;

const LIFETIME: Duration = Duration::from_secs(3600);

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
}

#[derive(Serialize)]
struct TokenResponse {
    token_type: &'static str,
    access_token: String,
    expires_in: u64,
}

#[tokio::main]
async fn main() {
    let router = Router::new()
        .route("/oauth/token", post(token))
        .route("/", get(resource))
        .with_state(Tokens::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.unwrap();
}

async fn token(
    State(tokens): State<Tokens>,
    fields: HeaderMap,
    Form(request): Form<TokenRequest>,
) -> Response {
    if !is_the_client(&fields) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if request.grant_type != "client_credentials" {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).unwrap();
    tokens.lock().unwrap().insert(bytes, Instant::now() + LIFETIME);
    let access_token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let body =
        TokenResponse { token_type: "bearer", access_token, expires_in: LIFETIME.as_secs() };
    ([(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")], Json(body)).into_response()
}

fn is_the_client(fields: &HeaderMap) -> bool {
    let basic = fields.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|value| value.strip_prefix("Basic "));
    let credentials = basic.and_then(|text| STANDARD.decode(text).ok());
    credentials.as_deref() == Some(b"bench:secret")
}

async fn resource(State(tokens): State<Tokens>, fields: HeaderMap) -> Response {
    let bearer = fields.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).and_then(bytes);
    let expires = token.and_then(|token| tokens.lock().unwrap().get(&token).copied());
    match expires {
        Some(expires) if Instant::now() < expires => {
            "Congratulations, you are in a secret area!".into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

fn bytes(hex: &str) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    (hex.len() == 40).then_some(bytes)
}

//! oauth2d: a small OAuth 2.0 server.
//!
//! Read it in this order, with the RFCs beside it. README's "Reading the source" says what to look
//! for at each stop.
//!
//! 1. One token request, from socket to socket: `http/connection.rs`, `http/request.rs`,
//!    `endpoints/mod.rs`, `endpoints/route.rs`, `endpoints/token.rs`, `endpoints/call.rs`,
//!    `oauth/mod.rs`, `oauth/client_auth.rs`, `oauth/grants/mod.rs`, `oauth/grants/password.rs`,
//!    `oauth/sign_in.rs`, `oauth/grants/issue.rs`, `store/mod.rs`, `endpoints/reply.rs`.
//! 2. One family's life: `oauth/family.rs`, `endpoints/authorize.rs`, `oauth/authorize.rs`,
//!    `oauth/grants/authorization_code.rs`, `oauth/grants/refresh_token.rs`.
//! 3. The lock: `store/rows.rs`, `store/memory.rs`.
//! 4. The other grants, and what a token opens: `oauth/grants/client_credentials.rs`,
//!    `oauth/device.rs`, `oauth/grants/device_code.rs`, `endpoints/resource.rs`, `oauth/bearer.rs`.
//!
//! Everything else is detail behind a name. The rooms:
//!
//! - [`endpoints`] is where [`http`] and [`oauth`] meet, which do not know each other; [`store`]
//!   keeps what was issued.
//! - [`serve`] starts, reloads and stops the server, with [`listen`], [`notify`] and [`os`];
//!   [`cli`], [`load`] and [`config`] read what it is told.
//! - [`commands`], [`typed`] and [`control`] are what the program does besides serving.
//! - [`encode`], [`crypto`], [`clock`], [`step_aside`] and [`watch`] (the log, the metrics) serve
//!   the others.

mod cli;
mod clock;
mod commands;
mod config;
mod control;
mod crypto;
mod encode;
mod endpoints;
mod http;
mod listen;
mod load;
mod notify;
mod oauth;
mod os;
mod serve;
mod step_aside;
mod store;
mod typed;
mod watch;

use std::process::ExitCode;

use cli::Command;

fn main() -> ExitCode {
    let done = cli::parse(std::env::args_os().skip(1)).and_then(|command| match command {
        Command::Help => commands::print(cli::HELP),
        Command::Version => commands::print(cli::VERSION),
        Command::Hash => commands::hash(),
        Command::NewSecret => commands::new_random("secret_hash"),
        Command::NewToken => commands::new_random("token_hash"),
        Command::Check(options) => commands::check(&options),
        Command::Health(options) => commands::health(&options),
        Command::Tokens(options) => control::tokens(&options),
        Command::End(options) => control::end(&options),
        Command::Serve(options) => serve::serve(options),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell().into(),
    }
}

//! oauth2d: a small OAuth 2.0 server.
//!
//! Read it in this order, with the RFCs beside:
//!
//! 1. [`oauth`], the protocol, as functions of plain values. Start with `oauth/grants/`, one file
//!    for each `grant_type`, then [`store`], which makes "works once" true.
//! 2. [`endpoints`], the table of paths and, behind each, a request in and a response out.
//! 3. [`http`], HTTP/1.1: how bytes become requests, and what a stranger may cost.
//! 4. [`serve`], from a configuration to listening sockets, a reload and a stop; [`listen`],
//!    [`notify`] and [`os`] for it.
//! 5. [`cli`], [`load`] and [`config`], what the program is told; [`commands`], [`typed`] and
//!    [`control`], what else it does.
//! 6. [`encode`], [`crypto`], [`clock`] and [`watch`], which the others use.
//!
//! `oauth` and `http` do not know each other; `endpoints` is where they meet.

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

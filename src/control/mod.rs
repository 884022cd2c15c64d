//! The Unix socket by which `oauth2d --tokens` and `oauth2d --end` reach the running server:
//! `control` in the configuration. Only its owner may open it.
//!
//!     list=yes&client=app                                   a form on one line
//!
//!     app⇥ann⇥access⇥read write⇥⇥1764000000⇥1764003600      a row a token, its fields in [`FIELDS`]
//!     done 1
//!
//! Whoever can open the socket is the operator; nothing else is checked. No token is ever sent over
//! it, except the one to end.

mod ask;
mod rows;
mod server;

pub use ask::{end, tokens};
use rows::Which;
pub use server::ControlSocket;

use crate::encode::form::push_encoded;

/// Which tokens are meant: those that everything named here is true of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    pub client: Option<String>,
    pub user: Option<String>,
    pub resource: Option<String>,
}

impl Filter {
    /// What is named, with its parameter.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("client", &self.client), ("user", &self.user), ("resource", &self.resource)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// The parameters of a request.
const PARAMETERS: [&str; 6] = ["list", "end", "client", "user", "resource", "token"];

/// The fields of a row, which are also the table's columns and the JSON's members.
const FIELDS: [&str; 7] = ["client", "user", "kind", "scope", "resource", "issued", "expires"];

/// The most bytes of a request.
const REQUEST: usize = 4096;

/// A request's line.
fn request<'a>(what: &str, parameters: impl Iterator<Item = (&'static str, &'a str)>) -> String {
    let mut line = format!("{what}=yes");
    for (name, value) in parameters {
        line.push('&');
        line.push_str(name);
        line.push('=');
        push_encoded(&mut line, value);
    }
    line + "\n"
}

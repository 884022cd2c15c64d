//! Lists tokens and ends them, for the requests of the control socket.

use super::{FIELDS, Filter};
use crate::oauth::{Registry, Timestamp, TokenInfo, grace};
use crate::store::{Change, Decision, Key, Number, OnlyIf, Owner, Row, Store, Unavailable};

/// The tokens that are meant, by the store's numbers.
pub struct Which<'a> {
    registry: &'a Registry,
    client: Option<Number>,
    user: Option<Number>,
    resource: Option<Number>,
    /// A name does not exist, so no token can be meant.
    is_nobody: bool,
}

/// A token's row in the answer, without the line end, and without its key. Names have no tabs,
/// since they have no control characters.
fn line(kind: &str, info: &TokenInfo) -> String {
    let time =
        |time: Option<Timestamp>| time.map_or(String::new(), |time| time.seconds().to_string());
    let scope = info.scope();
    let fields: [&str; FIELDS.len()] = [
        &info.client.id,
        info.user.map_or("", |user| &user.name),
        kind,
        scope.as_str(),
        info.audience.map_or("", |resource| &resource.url),
        &time(info.issued_at),
        &time(info.expires),
    ];
    fields.join("\t")
}

impl<'a> Which<'a> {
    pub fn new(registry: &'a Registry, filter: &Filter) -> Which<'a> {
        let client = filter.client.as_deref().map(|id| registry.client(id).map(|it| it.number));
        let user = filter.user.as_deref().map(|name| registry.user(name).map(|it| it.number));
        let resource = filter.resource.as_deref();
        let resource = resource.map(|url| registry.resources.named(url).map(|it| it.number));
        Which {
            registry,
            client: client.flatten(),
            user: user.flatten(),
            resource: resource.flatten(),
            is_nobody: [client, user, resource].contains(&Some(None)),
        }
    }

    fn takes(&self, (client, user, resource): Owner) -> bool {
        !self.is_nobody
            && self.client.is_none_or(|wanted| wanted == client)
            && self.user.is_none_or(|wanted| Some(wanted) == user)
            && self.resource.is_none_or(|wanted| Some(wanted) == resource)
    }

    /// Calls `show` with the line of every live token that is meant, slice by slice, so that nobody
    /// has to wait.
    pub fn list(
        &self,
        store: &Store,
        now: Timestamp,
        see: &mut dyn FnMut(String),
    ) -> Result<(), Unavailable> {
        for fixed in self.registry.fixed_tokens.iter() {
            let info = fixed.info(self.registry, now);
            if let Some(info) = info.filter(|info| self.takes(owner(info))) {
                see(line("fixed", &info));
            }
        }
        store.each(&mut |rows| {
            for (_, row) in rows.into_iter().filter(|(_, row)| self.takes(row.owner())) {
                match row {
                    Row::AccessToken(row) if now < row.expires => {
                        let info = TokenInfo::of_row(self.registry, row);
                        info.iter().for_each(|info| see(line("access", info)));
                    }
                    Row::Family(row) => {
                        for token in grace::known(&row).filter(|token| token.is_good(now)) {
                            let info = TokenInfo::of_family(self.registry, &row, &token);
                            info.iter().for_each(|info| see(line("refresh", info)));
                        }
                    }
                    _ => {}
                }
            }
            Ok(())
        })
    }

    /// Ends all that is meant: tokens, codes, and devices that were allowed. Returns how many
    /// tokens that were.
    pub fn end(&self, store: &Store) -> Result<usize, Unavailable> {
        let mut ended = 0;
        store.each(&mut |rows| {
            let own = rows.into_iter().filter(|(_, row)| self.takes(row.owner()));
            let changes: Vec<Change> = own.filter_map(|(key, row)| end_of(key, &row)).collect();
            if !changes.is_empty() {
                ended += store.apply(OnlyIf::Always, changes)?.unwrap_or(0);
            }
            Ok(())
        })?;
        Ok(ended)
    }
}

/// The change that ends a row. A device that nobody has allowed has nothing to end.
fn end_of(key: Key, row: &Row) -> Option<Change> {
    match row {
        Row::AccessToken(_) => Some(Change::TakeAccessToken(key)),
        Row::Code(_) => Some(Change::TakeCode(key)),
        Row::Family(_) => Some(Change::TakeFamily(key)),
        Row::Device(row) => match row.decision {
            Some(Decision::Allowed { .. }) => Some(Change::TakeDevice(key)),
            _ => None,
        },
    }
}

fn owner(info: &TokenInfo) -> Owner {
    let resource = info.audience.map(|resource| resource.number);
    (info.client.number, info.user.map(|user| user.number), resource)
}

//! Random steps, compared with a model of every answer, over reloads, stops and kills: nothing that
//! was answered is lost, and nothing that ended comes back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::resources::{NOTES, ask, named};
use crate::state::*;
use crate::support::*;

/// Some tokens are for this service.
const SERVICE: &str = "\n[resource https://api.example.com/mcp]\n";

/// Random numbers that a seed repeats (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    /// The seed is printed on failure; `OAUTH2D_SEED` repeats a run.
    fn new() -> Dice {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let named = std::env::var("OAUTH2D_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = named.unwrap_or(since) | 1;
        println!("OAUTH2D_SEED={seed}");
        Dice(seed)
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most
    }
}

/// What came of one grant.
#[derive(Default)]
struct Family {
    /// The access token and the refresh token that are valid now.
    access: Option<String>,
    refresh: Option<String>,
    /// The code, if there was one, and the refresh tokens that were used.
    code: Option<String>,
    used: Vec<String>,
    user: &'static str,
    /// Whether it is for a service.
    is_bound: bool,
}

/// What the server must say.
struct Model {
    server: Server,
    dice: Dice,
    families: Vec<Family>,
    /// Tokens of no family.
    live: Vec<String>,
    dead: Vec<String>,
    codes: Vec<String>,
    /// Devices that wait for a decision, and those that were allowed.
    pending: Vec<(String, String)>,
    allowed: Vec<String>,
    has_bob: bool,
    has_notes: bool,
    text: String,
}

impl Model {
    fn new(server: Server) -> Model {
        let text = std::fs::read_to_string(server.folder.path().join("oauth2d.conf")).unwrap();
        Model {
            server,
            dice: Dice::new(),
            families: Vec::new(),
            live: Vec::new(),
            dead: Vec::new(),
            codes: Vec::new(),
            pending: Vec::new(),
            allowed: Vec::new(),
            has_bob: true,
            has_notes: true,
            text,
        }
    }

    fn step(&mut self) {
        let kind = self.dice.below(22);
        self.step_of(kind);
    }

    fn step_of(&mut self, kind: usize) {
        match kind {
            0..4 => self.issue(),
            4..7 => self.rotate(),
            7 => self.reuse(),
            8 => self.revoke_access(),
            9 => self.revoke_family(),
            10 | 11 => self.codes.push(code(&self.server)),
            12 | 13 => self.redeem(),
            14 => self.redeem_again(),
            15 => self.pending.push(device(&self.server)),
            16 => self.decide(),
            17 => self.poll(),
            18 => self.toggle_bob(),
            19 => self.toggle_notes(),
            20 => self.restart(),
            _ => self.restart_within_a_step(),
        }
        self.look_at_one();
    }

    fn issue(&mut self) {
        if self.dice.below(3) == 0 {
            let answer = self.server.token(APP, "grant_type=client_credentials");
            return self.live.push(answer.member("access_token"));
        }
        let user = if self.has_bob && self.dice.below(2) == 0 { "bob" } else { "ann" };
        let is_bound = self.has_notes && self.dice.below(2) == 0;
        let resource = if is_bound { named(NOTES) } else { String::new() };
        let answer = self.server.token(APP, &format!("{}&{resource}", ANN.replace("ann", user)));
        self.begin(&answer, None, user);
        self.families.last_mut().unwrap().is_bound = is_bound;
    }

    fn begin(&mut self, answer: &Answer, code: Option<String>, user: &'static str) {
        let access = Some(answer.member("access_token"));
        let refresh = Some(answer.member("refresh_token"));
        let family = Family { access, refresh, code, user, ..Family::default() };
        self.families.push(family);
    }

    fn any(&mut self) -> Option<usize> {
        (!self.families.is_empty()).then(|| self.dice.below(self.families.len()))
    }

    fn rotate(&mut self) {
        let Some(at) = self.any() else { return };
        let family = &mut self.families[at];
        let token = family.refresh.take().unwrap();
        let answer = refresh(&self.server, &token);
        family.used.push(token);
        self.dead.extend(family.access.replace(answer.member("access_token")));
        family.refresh = Some(answer.member("refresh_token"));
    }

    /// A used refresh token ends its family.
    fn reuse(&mut self) {
        let Some(at) = self.any() else { return };
        let used = self.families[at].used.last().cloned();
        let Some(token) = used else { return };
        let answer = refresh(&self.server, &token);
        assert_eq!(answer.error(), (400, "invalid_grant".into()));
        self.end(at);
    }

    fn end(&mut self, at: usize) {
        let family = self.families.swap_remove(at);
        self.dead.extend(family.access.into_iter().chain(family.refresh));
    }

    fn revoke_access(&mut self) {
        if let Some(token) = self.live.pop() {
            assert_eq!(revoke(&self.server, &token).status, 200);
            self.dead.push(token);
        }
    }

    fn revoke_family(&mut self) {
        let Some(at) = self.any() else { return };
        let token = self.families[at].refresh.clone().unwrap();
        assert_eq!(revoke(&self.server, &token).status, 200);
        self.end(at);
    }

    fn redeem(&mut self) {
        let Some(code) = self.codes.pop() else { return };
        let answer = redeem(&self.server, &code);
        self.begin(&answer, Some(code), "ann");
    }

    fn redeem_again(&mut self) {
        let Some(at) = self.families.iter().position(|family| family.code.is_some()) else {
            return;
        };
        let code = self.families[at].code.clone().unwrap();
        assert_eq!(redeem(&self.server, &code).error(), (400, "invalid_grant".into()));
        self.end(at);
    }

    fn decide(&mut self) {
        let Some((device_code, user_code)) = self.pending.pop() else { return };
        match self.dice.below(3) {
            0 => {
                assert_eq!(decide(&self.server, &user_code, "deny").status, 200);
                let answer = poll(&self.server, &device_code);
                assert_eq!(answer.error(), (400, "access_denied".into()));
            }
            _ => {
                assert_eq!(decide(&self.server, &user_code, "allow").status, 200);
                self.allowed.push(device_code);
            }
        }
    }

    fn poll(&mut self) {
        let Some(device_code) = self.allowed.pop() else { return };
        let answer = poll(&self.server, &device_code);
        self.begin(&answer, None, "ann");
        let again = poll(&self.server, &device_code);
        assert_eq!(again.error(), (400, "invalid_grant".into()));
    }

    /// A user who leaves the configuration loses all tokens, and gets none back on return.
    fn toggle_bob(&mut self) {
        self.has_bob = !self.has_bob;
        self.reload();
        self.end_all(|family| family.user == "bob");
    }

    /// The same for a service.
    fn toggle_notes(&mut self) {
        self.has_notes = !self.has_notes;
        self.reload();
        self.end_all(|family| family.is_bound);
    }

    fn reload(&self) {
        let mut text = self.text.clone();
        for (is_there, section) in
            [(self.has_bob, "[user bob"), (self.has_notes, "[resource https:")]
        {
            if !is_there {
                text = text.replace(section, &format!("{section}//another"));
            }
        }
        reload(&self.server, &text);
    }

    fn end_all(&mut self, has_ended: impl Fn(&Family) -> bool) {
        for at in (0..self.families.len()).rev() {
            if has_ended(&self.families[at]) {
                self.end(at);
            }
        }
    }

    /// Whether the token is good at the service that it is for, if it is for one.
    fn is_good(&self, token: &str, is_bound: bool) -> bool {
        let place = if is_bound { named(NOTES) } else { String::new() };
        ask(&self.server, &place, token).status == 200
    }

    fn restart(&mut self) {
        let signal = if self.dice.below(3) == 0 { "TERM" } else { "KILL" };
        self.end_by(signal);
        self.look_at_all();
    }

    fn end_by(&mut self, signal: &str) {
        let folder = std::mem::replace(&mut self.server.folder, Folder::new());
        self.server.signal(signal);
        self.server.end();
        self.server = started_in(folder);
    }

    /// A kill somewhere within a rotation. Nobody knows whether it took effect, but what had ended
    /// before stays so.
    fn restart_within_a_step(&mut self) {
        let Some(at) = self.any() else { return };
        let family = self.families.swap_remove(at);
        let form = format!("grant_type=refresh_token&refresh_token={}", family.refresh.unwrap());
        let mut connection = self.server.connect();
        let kind = "Content-Type: application/x-www-form-urlencoded";
        connection.send(message("POST", "/oauth/token", &[APP, kind], &form));
        self.end_by("KILL");
        self.look_at_all();
    }

    fn look_at_one(&mut self) {
        if let Some(at) = self.any() {
            self.assert_is_live(&self.families[at]);
        }
        if !self.dead.is_empty() {
            let token = &self.dead[self.dice.below(self.dead.len())];
            assert!(!self.is_good(token, false), "{token} has ended");
        }
    }

    fn look_at_all(&self) {
        self.families.iter().for_each(|family| self.assert_is_live(family));
        for token in &self.live {
            assert!(self.is_good(token, false), "{token} is lost");
        }
        // The last hundred; older ones have been checked before.
        for token in self.dead.iter().rev().take(100) {
            assert!(!self.is_good(token, false), "{token} has ended");
        }
    }

    fn assert_is_live(&self, family: &Family) {
        let access = family.access.as_ref().unwrap();
        assert!(self.is_good(access, family.is_bound), "{access} is lost");
        assert_eq!(self.server.is_live(access), !family.is_bound);
        let token = family.refresh.as_ref().unwrap();
        let answer = self.server.post("/oauth/introspect", &[APP], &format!("token={token}"));
        assert_eq!(answer.json()["active"], true, "{token} is lost");
    }
}

/// Returns how many steps were made.
fn run_for(time: Duration, most: usize) -> usize {
    let mut model = Model::new(with_state(SERVICE));
    let began = Instant::now();
    let mut steps = 0;
    while steps < most && began.elapsed() < time {
        model.step();
        steps += 1;
    }
    model.restart();
    steps
}

#[test]
fn whatever_is_done_nothing_is_lost_and_nothing_comes_back() {
    run_for(Duration::from_secs(10), 250);
}

/// With so many large tokens besides that the file is rewritten every second or two.
#[test]
#[ignore = "make soak"]
fn soak_random_steps_while_the_file_is_written_anew() {
    let server = "[server]\nstate_file = state\nmax_tokens_per_client = 4000\n";
    let text = format!("{server}{CLIENTS}{SERVICE}{}", flooding());
    let mut model = Model::new(Server::configured(&text));
    let is_over = &std::sync::atomic::AtomicBool::new(false);
    let began = Instant::now();
    let (mut steps, mut rewrites, mut file) = (0, 0, 0);
    while began.elapsed() < Duration::from_secs(60) {
        is_over.store(false, std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            let address = model.server.addresses[0];
            let floods = [(); 16].map(|()| scope.spawn(move || flood(address, is_over)));
            let until = Instant::now() + Duration::from_secs(8);
            while Instant::now() < until {
                let kind = model.dice.below(18);
                model.step_of(kind);
                steps += 1;
                let data = std::fs::metadata(model.server.folder.path().join("state")).unwrap();
                // The system reuses inode numbers, but not at once.
                let now = std::os::unix::fs::MetadataExt::ino(&data);
                rewrites += usize::from(std::mem::replace(&mut file, now) != now);
            }
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            floods.into_iter().for_each(|flood| flood.join().unwrap());
        });
        model.restart();
    }
    println!("{steps} steps while the file was written anew {rewrites} times");
    assert!(rewrites > 1);
}

/// A client at its limit of tokens, each with 2 KB of scopes, so that the file grows by megabytes a
/// second, but its content does not.
fn flooding() -> String {
    let scopes: Vec<String> = (0..250).map(|at| format!("scope{at:03}")).collect();
    let scopes = scopes.join(" ");
    format!(
        "[client flood]\nsecret = s\ngrants = client_credentials\n\
         scopes = {scopes}\ndefault_scopes = {scopes}\n"
    )
}

fn flood(address: std::net::SocketAddr, is_over: &std::sync::atomic::AtomicBool) {
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let form = "grant_type=client_credentials&client_id=flood&client_secret=s";
    let request = message("POST", "/oauth/token", &[kind], form);
    let mut connection = Connection::to(address);
    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
        connection.send(request.repeat(20));
        (0..20).for_each(|_| assert_eq!(connection.answer().status, 200));
    }
}

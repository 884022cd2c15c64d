// The stories of each grant: first as it should go, then the wrong turns. A step that has `to` and
// `request` is a message; one with `facts` happens within one of them. `sent` says how many of a
// story's first steps the tour takes by itself.

const FIRST = [DISCOVER, SECRETS, ASK, ALLOW, BACK];

const CODE = {
  id: "code", name: "Authorization code",
  lead: "The grant for apps that people use: on the web, on a phone, on a desktop. You sign in at the server, never in the app, and the app gets a code that it trades for a token.",
  actors: ["browser", "app", "server", "api"],
  stories: [
    { id: "", name: "As it should go", steps: [...FIRST, EXCHANGE, { ...USE, after: "Let in. And the app never had your password." }] },
    {
      id: "verifier", name: "The verifier does not match", sent: 5,
      lead: "A thief has caught the code: from a log, with a look over your shoulder, or with an app that answers to the same address. What is missing is the verifier.",
      steps: [...FIRST, {
        title: "The thief tries the code with a made-up verifier",
        from: "app", to: "server",
        text: "Everything is right except the verifier.",
        prepare: (known) => { known.guess = random(); },
        before: freshCode,
        request: (known) => exchange(known, known.guess),
        after: "Refused, and the code is spent: there is only one guess.",
      }, {
        title: "The app comes with the right verifier",
        from: "app", to: "server",
        text: "Too late for this code. The app has to send you to sign in again, which costs you a moment and the thief everything.",
        request: (known) => exchange(known, known.verifier),
        after: "A spent code is an unknown code.",
      }],
    },
    {
      id: "twice", name: "A code is used twice", sent: 6,
      lead: "The app has traded its code. Then the same code comes again: someone else has it, too.",
      steps: [...FIRST, EXCHANGE, {
        title: "The code comes again",
        from: "app", to: "server",
        text: "The very same request as before, verifier and all.",
        request: (known) => exchange(known, known.verifier),
        after: "The server cannot know which of the two is the thief, so it revokes everything that came of this code.",
      }, useOf("The app uses the token it got", "It was valid until a moment ago.", (known) => known.access,
        "Revoked. The app asks you to sign in again, and the thief is out.")],
    },
    {
      id: "scope", name: "A scope that is too wide", sent: 2,
      lead: "The app may ask for read and write. It asks for more than that.",
      steps: [DISCOVER, SECRETS, {
        title: "The app asks for admin, too",
        from: "browser", to: "server",
        text: "The scope says what the token is to be good for. The server's configuration says how much this app may ask for.",
        request: (known) => query("/oauth/authorize", authorization(known, { scope: "read admin" })),
        after: "You are not bothered with a page: the app is told by a redirect, just as it would get a code.",
      }],
    },
    {
      id: "deny", name: "You press Deny", sent: 3,
      lead: "It is your decision, and no is an answer.",
      steps: [DISCOVER, SECRETS, ASK, {
        title: "You press Deny",
        from: "browser", to: "server",
        text: "You need no password to say no.",
        request: (known) => form("/oauth/authorize", { ...authorization(known), decision: "deny" }),
        after: "The app gets access_denied, with its state, and can tell you in its own words.",
      }],
    },
    {
      id: "redirect", name: "A redirect URI that is not registered", sent: 2,
      lead: "If a code could be sent to any address, a thief would only have to put his own into the link.",
      steps: [DISCOVER, SECRETS, {
        title: "A link with another redirect_uri",
        from: "browser", to: "server",
        text: "Everything else is as it should be, but the app has not registered this address.",
        request: (known) => query("/oauth/authorize", authorization(known, { redirect_uri: "https://evil.example/callback" })),
        after: "A page, and no redirect: as long as the redirect URI is in doubt, your browser must not be sent anywhere.",
      }],
    },
  ],
};

const refresh = (token, more = {}) => form("/oauth/token", {
  grant_type: "refresh_token", client_id: PUBLIC, refresh_token: token, ...more,
});

const REFRESHED = {
  title: "The app asks for a new access token",
  from: "app", to: "server",
  text: "Access tokens live for an hour, so that a lost one does not matter for long. The refresh token gets the next one, without you.",
  request: (known) => refresh(known.refresh),
  learn: remember,
  after: "Two new tokens. The old refresh token is used up, and the old access token is revoked.",
};

const REFRESH = {
  id: "refresh", name: "Refresh token",
  lead: "How an app stays signed in while you are away. Each refresh token works once and brings the next one. That is rotation, and it exposes a stolen one.",
  actors: ["browser", "app", "server", "api"],
  stories: [
    {
      id: "", name: "As it should go", sent: 6,
      steps: [...FIRST, EXCHANGE, REFRESHED,
        useOf("The app uses the new access token", "Like any other.", (known) => known.access, "It is valid for another hour."),
        useOf("And the old one?", "The one from before the refresh.", (known) => known.before.access, "It was revoked when the new one was issued.")],
    },
    {
      id: "reuse", name: "A refresh token that was used before", sent: 7,
      lead: "The app has used its refresh token and has the next one. Then the old one comes again: there is a copy.",
      steps: [...FIRST, EXCHANGE, REFRESHED, {
        title: "The old refresh token comes again",
        from: "app", to: "server",
        text: "Is it the thief with a copy, or the app, while the thief already has the new one? Nobody can tell.",
        request: (known) => refresh(known.before.refresh),
        after: "Why rotation: two cannot both go on. The second use gives the theft away, and the whole family of tokens is revoked.",
      }, {
        title: "Whoever has the newest one tries it",
        from: "app", to: "server",
        text: "It was valid a moment ago.",
        request: (known) => refresh(known.refresh),
        after: "Revoked with its family. You can sign in again, and the thief cannot.",
      }],
    },
    {
      id: "wider", name: "A scope that is wider than before", sent: 6,
      lead: "You allowed read. The app would like write as well, and asks for it with its refresh token.",
      steps: [...FIRST, EXCHANGE, {
        title: "The app asks for more",
        from: "app", to: "server",
        text: "A refresh may narrow what you allowed, but never widen it.",
        request: (known) => refresh(known.refresh, { scope: "read write" }),
        after: "An honest mistake costs nothing: the refresh token was not used up.",
      }, { ...REFRESHED, title: "The app asks for what it has", text: "The same refresh token, without the wider scope." }],
    },
  ],
};

const MACHINE = "confidentialApplication";
const machine = (id, secret, more = {}) => form("/oauth/token", { grant_type: "client_credentials", ...more }, basic(id, secret));

const OWN_TOKEN = {
  title: "The app asks in its own name",
  from: "app", to: "server",
  text: "Nobody signs in. The app has an id and a secret, and shows both. Basic is only a way to write them (Base64 of id:secret), so the connection must use TLS wherever it leaves the machine.",
  request: () => machine(MACHINE, "topSecret"),
  learn: remember,
  after: "A token for the app itself. There is no refresh token: the app can simply ask again.",
};

const CREDENTIALS = {
  id: "client", name: "Client credentials",
  lead: "The grant for programs that act for themselves: a nightly job, or a service that calls another. No person takes part.",
  actors: ["app", "server", "api"],
  stories: [
    { id: "", name: "As it should go", steps: [OWN_TOKEN, USE] },
    {
      id: "secret", name: "A wrong secret",
      lead: "What can someone learn by guessing?",
      steps: [{
        title: "The right id, a wrong secret",
        from: "app", to: "server",
        text: "The id exists.",
        request: () => machine(MACHINE, "guess"),
        after: "After ten wrong guesses in a minute this address gets nothing but 429, even for the right secret.",
      }, {
        title: "An id that does not exist",
        from: "app", to: "server",
        text: "Does the server say so?",
        request: () => machine("nobody", "guess"),
        after: "Word for word the same answer, and it takes as long: nobody learns which ids exist.",
      }],
    },
    {
      id: "grant", name: "A grant that is not the client's",
      lead: "Each client may use the grants that the server's configuration lists for it, and no others.",
      steps: [{
        title: "Another client asks in its own name",
        from: "app", to: "server",
        text: "application has the right secret, but it is meant for people: it may use password and refresh_token.",
        request: () => machine("application", "secret"),
        after: "The server knows it, and still it may not.",
      }],
    },
    {
      id: "scope", name: "A scope that is too wide",
      lead: "This client has no scopes in the server's configuration.",
      steps: [{
        title: "The app asks for a scope",
        from: "app", to: "server",
        text: "It asks for admin.",
        request: () => machine(MACHINE, "topSecret", { scope: "admin" }),
        after: "No token, rather than a smaller one: otherwise the app would not know what it lacks.",
      }],
    },
  ],
};

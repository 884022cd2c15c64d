// The stories of each grant: first as it should go, then the wrong turns. A step that has `to` and
// `request` is a message; one with `facts` happens within one of them. `sent` says how many of a
// story's first steps the tour takes by itself.

const FIRST = [DISCOVER, SECRETS, ASK, ALLOW, BACK];

const CODE = {
  id: "code", name: "Authorization code",
  lead: "The grant for apps that people use: on the web, on a phone, on a desktop. You sign in at the server, never in the app, and the app gets a code that it trades for a token.",
  actors: ["browser", "app", "server", "api"],
  stories: [
    { id: "", name: "As it should go", steps: [...FIRST, EXCHANGE, { ...USE, after: "Let in. And your password never was in the app's hands." }] },
    {
      id: "verifier", name: "The verifier does not match", sent: 5,
      lead: "A thief has caught the code: from a log, from a look over the shoulder, by an app that answers to the same address. The verifier is what is missing.",
      steps: [...FIRST, {
        title: "The thief tries the code with a made-up verifier",
        from: "app", to: "server",
        text: "Everything is right but the verifier.",
        prepare: (known) => { known.guess = random(); },
        before: freshCode,
        request: (known) => exchange(known, known.guess),
        after: "Refused, and the code is spent: whoever guesses has one guess.",
      }, {
        title: "The app comes with the right verifier",
        from: "app", to: "server",
        text: "Too late for this code. The app has to send you through the sign-in again, which costs you a moment and the thief everything.",
        request: (known) => exchange(known, known.verifier),
        after: "A spent code is an unknown code.",
      }],
    },
    {
      id: "twice", name: "A code is used twice", sent: 6,
      lead: "The app has traded its code. Then the same code comes again: somebody else has it too.",
      steps: [...FIRST, EXCHANGE, {
        title: "The code comes again",
        from: "app", to: "server",
        text: "The very same request as before, verifier and all.",
        request: (known) => exchange(known, known.verifier),
        after: "The server cannot know which of the two was the thief, so it takes everything back that came of this code.",
      }, useOf("The app uses the token it got", "It was good until a moment ago.", (known) => known.access,
        "Ended. The app asks you to sign in again, and the thief is out.")],
    },
    {
      id: "scope", name: "A scope that is too wide", sent: 2,
      lead: "The app may ask for read and write. It asks for more than that.",
      steps: [DISCOVER, SECRETS, {
        title: "The app asks for admin, too",
        from: "browser", to: "server",
        text: "The scope says what the token shall be good for. The server's file says what this app may ask for at most.",
        request: (known) => query("/oauth/authorize", authorization(known, { scope: "read admin" })),
        after: "Nobody is bothered with a page: the app is told by a redirect, in the same way as it would get a code.",
      }],
    },
    {
      id: "deny", name: "You press Deny", sent: 3,
      lead: "It is your decision, and no is an answer.",
      steps: [DISCOVER, SECRETS, ASK, {
        title: "You press Deny",
        from: "browser", to: "server",
        text: "No needs no password.",
        request: (known) => form("/oauth/authorize", { ...authorization(known), decision: "deny" }),
        after: "The app gets access_denied, with its state, and can say so in its own words.",
      }],
    },
    {
      id: "redirect", name: "A way back that nobody registered", sent: 2,
      lead: "If a code could be sent to any address, a thief would only have to write his own into the link.",
      steps: [DISCOVER, SECRETS, {
        title: "A link with another redirect_uri",
        from: "browser", to: "server",
        text: "All else is as it should be. The address is not one that the app has registered.",
        request: (known) => query("/oauth/authorize", authorization(known, { redirect_uri: "https://evil.example/callback" })),
        after: "A page, and no redirect: as long as the way back is in doubt there is nowhere to go.",
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
  text: "Access tokens live an hour, so that a lost one does not matter for long. The refresh token gets the next one, without you.",
  request: (known) => refresh(known.refresh),
  learn: remember,
  after: "Two new tokens. The old refresh token is used up, and the old access token has ended.",
};

const REFRESH = {
  id: "refresh", name: "Refresh token",
  lead: "How an app stays signed in, while you are away. Each refresh token works once and brings the next one: that is rotation, and it makes a stolen one show itself.",
  actors: ["browser", "app", "server", "api"],
  stories: [
    {
      id: "", name: "As it should go", sent: 6,
      steps: [...FIRST, EXCHANGE, REFRESHED,
        useOf("The app uses the new access token", "Like any other.", (known) => known.access, "It is good for another hour."),
        useOf("And the old one?", "The one from before the refresh.", (known) => known.before.access, "Its time was over when the new one was given.")],
    },
    {
      id: "reuse", name: "A refresh token that was used before", sent: 7,
      lead: "The app has used its refresh token and holds the next one. Then the old one comes again: there is a copy.",
      steps: [...FIRST, EXCHANGE, REFRESHED, {
        title: "The old refresh token comes again",
        from: "app", to: "server",
        text: "Is it the thief with a copy, or the app while the thief already has the new one? Nobody can tell.",
        request: (known) => refresh(known.before.refresh),
        after: "Why rotation: two cannot both go on. The second use gives the theft away, and the whole family of tokens ends.",
      }, {
        title: "Whoever holds the newest one tries it",
        from: "app", to: "server",
        text: "It was good a moment ago.",
        request: (known) => refresh(known.refresh),
        after: "Ended with its family. You sign in again, and the thief does not.",
      }],
    },
    {
      id: "wider", name: "A scope that is wider than before", sent: 6,
      lead: "You allowed read. The app would like write as well, and asks with its refresh token.",
      steps: [...FIRST, EXCHANGE, {
        title: "The app asks for more",
        from: "app", to: "server",
        text: "A refresh may narrow what you allowed, and never widen it.",
        request: (known) => refresh(known.refresh, { scope: "read write" }),
        after: "An honest mistake costs nothing: the refresh token was not used up.",
      }, { ...REFRESHED, title: "The app asks for what it has", text: "The same refresh token, without the wish." }],
    },
  ],
};

const MACHINE = "confidentialApplication";
const machine = (id, secret, more = {}) => form("/oauth/token", { grant_type: "client_credentials", ...more }, basic(id, secret));

const OWN_TOKEN = {
  title: "The app asks in its own name",
  from: "app", to: "server",
  text: "Nobody signs in. The app has an id and a secret, and shows both. Basic is only a way to write them (it is Base64 of id:secret), so the connection has to be TLS wherever it leaves the machine.",
  request: () => machine(MACHINE, "topSecret"),
  learn: remember,
  after: "A token for the app itself. There is no refresh token: the app can simply ask again.",
};

const CREDENTIALS = {
  id: "client", name: "Client credentials",
  lead: "The grant for programs that act for themselves: a nightly job, one service that calls another. There is no person in it.",
  actors: ["app", "server", "api"],
  stories: [
    { id: "", name: "As it should go", steps: [OWN_TOKEN, USE] },
    {
      id: "secret", name: "A wrong secret",
      lead: "What does somebody learn who guesses?",
      steps: [{
        title: "The right id, a wrong secret",
        from: "app", to: "server",
        text: "The id exists.",
        request: () => machine(MACHINE, "guess"),
        after: "After ten wrong guesses in a minute there is only 429 from this address, for the right secret too.",
      }, {
        title: "An id that does not exist",
        from: "app", to: "server",
        text: "Does the server say so?",
        request: () => machine("nobody", "guess"),
        after: "Word for word the same answer, and it takes as long: nobody learns which ids there are.",
      }],
    },
    {
      id: "grant", name: "A grant that is not the client's",
      lead: "Each client may use the grants that the server's file gives it, and no others.",
      steps: [{
        title: "Another client asks in its own name",
        from: "app", to: "server",
        text: "application has the right secret, but it is there for people: it may use password and refresh_token.",
        request: () => machine("application", "secret"),
        after: "It is known, and still it may not.",
      }],
    },
    {
      id: "scope", name: "A scope that is too wide",
      lead: "This client has no scopes in the server's file.",
      steps: [{
        title: "The app asks for a scope",
        from: "app", to: "server",
        text: "It asks for admin.",
        request: () => machine(MACHINE, "topSecret", { scope: "admin" }),
        after: "Not a smaller token, but none: the app would not know what it lacks.",
      }],
    },
  ],
};

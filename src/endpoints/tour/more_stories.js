const poll = (known) => form("/oauth/token", { grant_type: DEVICE_GRANT, client_id: PUBLIC, device_code: known.deviceCode });

const START = {
  title: "The device asks for two codes",
  from: "device", to: "server",
  text: "A television has no keyboard worth the name. So it asks for a long code for itself, and a short one to show you.",
  request: () => form("/oauth/device_authorization", { client_id: PUBLIC, scope: "read" }),
  learn: (known, answer) => {
    known.deviceCode = needed(answer.json.device_code);
    known.userCode = answer.json.user_code;
  },
  after: "The device shows the address and the user code, and waits.",
};

const LOOK = {
  title: "You open the page and enter the code",
  from: "browser", to: "server",
  text: "On your phone, where you have a keyboard and perhaps a password manager.",
  request: (known) => form("/oauth/device", { user_code: known.userCode }),
  after: "First you see who asks, and for what. The code may come from an attacker who wants to be let in, so nobody should allow what they have not seen.",
  link: (known) => `/oauth/device?user_code=${known.userCode}`,
};

const PENDING = {
  title: "The device asks whether you have decided",
  from: "device", to: "server",
  text: "The server cannot call it, so it asks again and again, at the interval it was told: 5 seconds.",
  request: poll,
  isFine: true,
  after: "Not yet. That is not a failure: the device waits for the interval and asks again.",
};

const decide = (known, more) => form("/oauth/device", { user_code: known.userCode, ...more });

const PERMIT = {
  title: "You sign in and press Allow",
  from: "browser", to: "server",
  text: "The page names the device, and you compare the code with the one on its screen.",
  request: (known) => decide(known, signIn()),
  after: "You are done, and can close the page. The device will learn of it when it next asks.",
};

const COLLECT = {
  title: "The device asks once more",
  from: "device", to: "server",
  text: "The same request as before.",
  request: poll,
  learn: remember,
  after: "The tokens. You typed your password on your phone, and the device never had it.",
};

const DEVICE = {
  id: "device", name: "Device code",
  lead: "The grant for devices without a keyboard or a browser: televisions, printers, programs in a terminal. You sign in somewhere else.",
  actors: ["device", "server", "browser"],
  stories: [
    { id: "", name: "As it should go", steps: [START, PENDING, LOOK, PERMIT, COLLECT] },
    {
      id: "hurry", name: "The device is in a hurry", sent: 2,
      lead: "The device was told to wait for 5 seconds between two requests.",
      steps: [START, PENDING, {
        ...PENDING, isFine: false, title: "It asks again at once", text: "When you press the button, the tour asks twice in a row. This is the second time.",
        before: async (known) => { await send(poll(known)); },
        after: "slow_down: from now on the device has to wait 5 seconds longer between two requests.",
      }],
    },
    {
      id: "deny", name: "You press Deny", sent: 3,
      lead: "You do not know this code, or this device.",
      steps: [START, PENDING, LOOK, {
        title: "You press Deny",
        from: "browser", to: "server",
        text: "You need no password to say no.",
        request: (known) => decide(known, { decision: "deny" }),
        after: "Nobody got anything.",
      }, { ...COLLECT, learn: undefined, after: "access_denied: the device stops asking." }],
    },
    {
      id: "twice", name: "A device code is used twice", sent: 5,
      lead: "The device has its tokens. The same device code comes again.",
      steps: [START, PENDING, LOOK, PERMIT, COLLECT, {
        ...COLLECT, title: "The device code comes again", text: "The very same request.", learn: undefined,
        after: "It works once.",
      }],
    },
  ],
};

const withPassword = (parameters, fields = basic("application", "secret")) =>
  form("/oauth/token", { grant_type: "password", ...parameters }, fields);

const PASSWORD = {
  id: "password", name: "Password",
  lead: "Out of favour, because the app sees your password: it could keep it, lose it, or use it for more than you meant, and you get used to typing it anywhere. RFC 9700, section 2.4, says not to use this grant. It is here for old programs.",
  actors: ["browser", "app", "server", "api"],
  stories: [
    {
      id: "", name: "As it goes", steps: [{
        title: "You type your password into the app", button: "Type it",
        from: "browser", to: "app",
        text: "This is the flaw of the grant itself, the one thing that OAuth was made to avoid.",
        facts: () => [["username", "pedroetb", "you"], ["password", "password", "now the app has it, too"]],
        cite: "RFC 9700, section 2.4",
      }, {
        title: "The app shows it to the server",
        from: "app", to: "server",
        text: "The app shows its own secret (in Basic) and your password.",
        request: () => withPassword({ username: "pedroetb", password: "password" }),
        learn: remember,
        after: "The quickest of all grants, but it can never have a second factor, a consent or a sign-in page.",
      }, USE],
    },
    {
      id: "secret", name: "A wrong client secret",
      lead: "Your password is right, but the app is not who it says.",
      steps: [{
        title: "The right password, a wrong secret",
        from: "app", to: "server",
        text: "The server checks the client first.",
        request: () => withPassword({ username: "pedroetb", password: "password" }, basic("application", "guess")),
        after: "The password was not even looked at.",
      }],
    },
    {
      id: "password", name: "A wrong password",
      lead: "What can someone learn by guessing?",
      steps: [{
        title: "Your name, a wrong password",
        from: "app", to: "server",
        text: "The name exists.",
        request: () => withPassword({ username: "pedroetb", password: "guess" }),
        after: "Guesses are counted: after ten in a minute there is nothing but 429.",
      }, {
        title: "A name that does not exist",
        from: "app", to: "server",
        text: "Does the server say so?",
        request: () => withPassword({ username: "nobody", password: "guess" }),
        after: "Word for word the same answer.",
      }],
    },
    {
      id: "scope", name: "A scope that is too wide",
      lead: "This client has no scopes in the server's configuration.",
      steps: [{
        title: "The app asks for a scope",
        from: "app", to: "server",
        text: "It asks for read.",
        request: () => withPassword({ username: "pedroetb", password: "password", scope: "read" }),
        after: "Refused altogether.",
      }],
    },
  ],
};

const introspect = (token, more) => ({
  title: "The API asks the server about the token",
  from: "api", to: "server",
  text: "The token says nothing by itself: it is 160 random bits. The API shows its own id and secret, and asks.",
  request: (known) => form("/oauth/introspect", { token: token(known) }, basic(MACHINE, "topSecret")),
  after: "Whose it is, what for, and until when. A proxy can ask /oauth/authenticate in much the same way, and needs no secret.",
  ...more,
});

const API = {
  id: "api", name: "Using and revoking a token",
  lead: "The other side: what an API does with the tokens it is shown, and how a token is revoked before it expires.",
  actors: ["app", "api", "server"],
  stories: [
    {
      id: "", name: "As it should go", steps: [{
        title: "The app comes without a token",
        from: "app", to: "api",
        text: "What does an API say to somebody it does not know?",
        request: () => query("/"),
        isFine: true,
        after: "A challenge: the app is told that it needs a bearer token, and where to read who issues them.",
      }, OWN_TOKEN, { ...USE, after: "Let in." }, introspect((known) => known.access), {
        title: "The app revokes its token",
        from: "app", to: "server",
        text: "Someone signs out, or the token was seen where it should not have been.",
        request: (known) => form("/oauth/revoke", { token: known.access }, basic(MACHINE, "topSecret")),
        after: "For a token that it does not know the server answers the same: the app has what it wanted.",
      }, introspect((known) => known.access, { title: "The API asks again", text: "The same question.", after: "One word, whatever the reason." }),
      useOf("The app comes with the revoked token", "It looks as before.", (known) => known.access, "invalid_token: the app knows that it needs a new one.")],
    },
    {
      id: "other", name: "Another client's token", sent: 1,
      lead: "One client would like to revoke the token of another.",
      steps: [OWN_TOKEN, {
        title: "Another client tries to revoke it",
        from: "app", to: "server",
        text: "application has a valid secret of its own, and somehow got another client's token.",
        request: (known) => form("/oauth/revoke", { token: known.access }, basic("application", "secret")),
        after: "The token lives on.",
      }, { ...USE, title: "The token is used", text: "By its own client.", after: "As valid as before." }],
    },
  ],
};

const CHAPTERS = [CODE, REFRESH, CREDENTIALS, DEVICE, PASSWORD, API];

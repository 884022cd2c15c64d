const poll = (known) => form("/oauth/token", { grant_type: DEVICE_GRANT, client_id: PUBLIC, device_code: known.deviceCode });

const START = {
  title: "The device asks for two codes",
  from: "device", to: "server",
  text: "A television has no keyboard worth the name. So it asks for a long code for itself, and for a short one to show you.",
  request: () => form("/oauth/device_authorization", { client_id: PUBLIC, scope: "read" }),
  learn: (known, answer) => {
    known.deviceCode = needed(answer.json.device_code);
    known.userCode = answer.json.user_code;
  },
  after: "The device shows the address and the user code, and waits.",
};

const LOOK = {
  title: "You open the page, and enter the code",
  from: "browser", to: "server",
  text: "On your phone, where you have a keyboard and perhaps are signed in to your password manager.",
  request: (known) => form("/oauth/device", { user_code: known.userCode }),
  after: "First you see who asks, and for what. The code may have come from somebody who wants to be let in, so nobody can allow what they have not seen.",
  link: (known) => `/oauth/device?user_code=${known.userCode}`,
};

const PENDING = {
  title: "The device asks whether you have decided",
  from: "device", to: "server",
  text: "It cannot be called, so it asks again and again, at the interval that it was told: 5 seconds.",
  request: poll,
  isFine: true,
  after: "Not yet. That is no failure: the device waits for the interval and asks again.",
};

const decide = (known, more) => form("/oauth/device", { user_code: known.userCode, ...more });

const PERMIT = {
  title: "You sign in, and press Allow",
  from: "browser", to: "server",
  text: "The device is named on the page; you compare the code with the one on its screen.",
  request: (known) => decide(known, signIn()),
  after: "You are done, and can close the page. The device will hear of it when it asks next.",
};

const COLLECT = {
  title: "The device asks once more",
  from: "device", to: "server",
  text: "The same request as before.",
  request: poll,
  learn: remember,
  after: "The tokens. The password was typed on your phone and never was in the device.",
};

const DEVICE = {
  id: "device", name: "Device code",
  lead: "The grant for what has a screen and no keyboard, or neither: televisions, printers, programs in a terminal. You sign in somewhere else.",
  actors: ["device", "server", "browser"],
  stories: [
    { id: "", name: "As it should go", steps: [START, PENDING, LOOK, PERMIT, COLLECT] },
    {
      id: "hurry", name: "The device is in a hurry", sent: 2,
      lead: "The device was told to wait for 5 seconds between two questions.",
      steps: [START, PENDING, {
        ...PENDING, isFine: false, title: "It asks again at once", text: "When you press the button, the tour asks twice, one right behind the other. This is the second.",
        before: async (known) => { await send(poll(known)); },
        after: "slow_down: from now on the device has to wait for 5 seconds more between two questions.",
      }],
    },
    {
      id: "deny", name: "You press Deny", sent: 3,
      lead: "You do not know this code, or this device.",
      steps: [START, PENDING, LOOK, {
        title: "You press Deny",
        from: "browser", to: "server",
        text: "No needs no password.",
        request: (known) => decide(known, { decision: "deny" }),
        after: "Nothing was given to anybody.",
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
  lead: "Out of favour, because the app sees your password: it could keep it, lose it, or use it for more than you meant, and you get used to typing it anywhere. RFC 9700, section 2.4, says not to use it. It is here for old programs of one's own.",
  actors: ["browser", "app", "server", "api"],
  stories: [
    {
      id: "", name: "As it goes", steps: [{
        title: "You type your password into the app", button: "Type it",
        from: "browser", to: "app",
        text: "This is the mistake in the grant itself: the one thing that OAuth was made to avoid.",
        facts: () => [["username", "pedroetb", "you"], ["password", "password", "now the app has it, too"]],
        cite: "RFC 9700, section 2.4",
      }, {
        title: "The app shows it to the server",
        from: "app", to: "server",
        text: "The app shows its own secret (in Basic) and your password.",
        request: () => withPassword({ username: "pedroetb", password: "password" }),
        learn: remember,
        after: "The quickest of all grants, and no second factor, no consent and no sign-in page can ever come into it.",
      }, USE],
    },
    {
      id: "secret", name: "A wrong client secret",
      lead: "Your password is right, but the app is not who it says.",
      steps: [{
        title: "The right password, a wrong secret",
        from: "app", to: "server",
        text: "The client is asked first.",
        request: () => withPassword({ username: "pedroetb", password: "password" }, basic("application", "guess")),
        after: "The password was not even looked at.",
      }],
    },
    {
      id: "password", name: "A wrong password",
      lead: "What does somebody learn who guesses?",
      steps: [{
        title: "Your name, a wrong password",
        from: "app", to: "server",
        text: "The name exists.",
        request: () => withPassword({ username: "pedroetb", password: "guess" }),
        after: "Guesses are counted: after ten in a minute there is only 429.",
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
      lead: "This client has no scopes in the server's file.",
      steps: [{
        title: "The app asks for a scope",
        from: "app", to: "server",
        text: "It asks for read.",
        request: () => withPassword({ username: "pedroetb", password: "password", scope: "read" }),
        after: "Refused as a whole.",
      }],
    },
  ],
};

const introspect = (token, more) => ({
  title: "The API asks the server about the token",
  from: "api", to: "server",
  text: "The token says nothing by itself: it is 160 random bits. The API shows its own id and secret, and asks.",
  request: (known) => form("/oauth/introspect", { token: token(known) }, basic(MACHINE, "topSecret")),
  after: "Whose it is, for what, and until when. A proxy can ask /oauth/authenticate in the same way, and needs no secret.",
  ...more,
});

const API = {
  id: "api", name: "Using and ending a token",
  lead: "The other side: what an API does with the tokens that it is shown, and how one is ended before its time.",
  actors: ["app", "api", "server"],
  stories: [
    {
      id: "", name: "As it should go", steps: [{
        title: "The app comes without a token",
        from: "app", to: "api",
        text: "What does an API say to somebody it does not know?",
        request: () => query("/"),
        isFine: true,
        after: "A challenge: the app is told that a Bearer token is needed, and where it is written who gives them.",
      }, OWN_TOKEN, { ...USE, after: "Let in." }, introspect((known) => known.access), {
        title: "The app ends its token",
        from: "app", to: "server",
        text: "Somebody signs out, or the token has been seen where it should not have been.",
        request: (known) => form("/oauth/revoke", { token: known.access }, basic(MACHINE, "topSecret")),
        after: "It answers the same for a token that it does not know: what was wanted is so.",
      }, introspect((known) => known.access, { title: "The API asks again", text: "The same question.", after: "One word, whatever the reason." }),
      useOf("The app comes with the ended token", "It looks as before.", (known) => known.access, "invalid_token: the app knows that it needs a new one.")],
    },
    {
      id: "other", name: "Another client's token", sent: 1,
      lead: "One client would like to end the token of another.",
      steps: [OWN_TOKEN, {
        title: "Another client asks for its end",
        from: "app", to: "server",
        text: "application has a good secret of its own, and somehow got the token of another.",
        request: (known) => form("/oauth/revoke", { token: known.access }, basic("application", "secret")),
        after: "The token lives on.",
      }, { ...USE, title: "The token is used", text: "By its own client.", after: "As good as before." }],
    },
  ],
};

const CHAPTERS = [CODE, REFRESH, CREDENTIALS, DEVICE, PASSWORD, API];

// amazon-cognito-identity-js, the client of apps in a browser, against a sandbox
// whose app client may use SRP besides passwords. Standard input is one JSON
// object: endpoint, pool_id, client_id, name, password, next (the password to
// change to), wrong, and act, which is what to do; standard output is what
// happened, as one JSON object. It judges nothing: amplify_test.go does.
import { text } from "node:stream/consumers";
import { AuthenticationDetails, CognitoUser, CognitoUserPool } from "amazon-cognito-identity-js";

const brief = JSON.parse(await text(process.stdin));
const pool = new CognitoUserPool({ UserPoolId: brief.pool_id, ClientId: brief.client_id, endpoint: `${brief.endpoint}/` });

// memory is a storage of its own for each user object, as browsers of their own
// have one.
function memory() {
  const items = new Map();
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
    clear: () => items.clear(),
  };
}

const SRP = "USER_SRP_AUTH";
const PASSWORD = "USER_PASSWORD_AUTH";

// signIn is a session of a new user object.
function signIn(flow, password) {
  const user = new CognitoUser({ Username: brief.name, Pool: pool, Storage: memory() });
  user.setAuthenticationFlowType(flow);
  return new Promise((resolve, reject) => {
    const challenge = (name) => () => reject(Object.assign(new Error(name), { name: "Challenge" }));
    user.authenticateUser(new AuthenticationDetails({ Username: brief.name, Password: password }), {
      onSuccess: () => resolve(user),
      onFailure: reject,
      newPasswordRequired: challenge("newPasswordRequired"),
      mfaRequired: challenge("mfaRequired"),
      totpRequired: challenge("totpRequired"),
      selectMFAType: challenge("selectMFAType"),
      mfaSetup: challenge("mfaSetup"),
    });
  });
}

const node = (call) => new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))));
const callbacks = (call) => new Promise((resolve, reject) => call({ onSuccess: resolve, onFailure: reject }));

const attributes = async (user) =>
  Object.fromEntries((await node((done) => user.getUserAttributes(done))).map((a) => [a.getName(), a.getValue()]));
const session = (user) => user.getSignInUserSession();
const refresh = (user) => node((done) => user.refreshSession(session(user).getRefreshToken(), done));

// outcome is ok, or the error by name and message.
async function outcome(call) {
  try {
    await call();
    return { ok: true };
  } catch (error) {
    return { name: error.name, message: error.message };
  }
}

const acts = {
  // early: somebody who has not migrated yet, by the client's default flow.
  async early(out) {
    out.srp = await outcome(() => signIn(SRP, brief.password));
  },

  async whole(out) {
    out.wrongPassword = await outcome(() => signIn(PASSWORD, brief.wrong));
    const migrated = await signIn(PASSWORD, brief.password);
    const id = session(migrated).getIdToken().decodePayload();
    out.idToken = { use: id.token_use, audience: id.aud, username: id["cognito:username"] };
    out.legacySub = (await attributes(migrated))["custom:legacy_sub"];

    out.srpWrong = await outcome(() => signIn(SRP, brief.wrong));
    const first = await signIn(SRP, brief.password);
    out.srpUsername = first.getUsername();
    out.sameSub = session(first).getIdToken().decodePayload().sub === id.sub;
    out.refreshed = await outcome(() => refresh(first));

    out.changeWrong = await outcome(() => node((done) => first.changePassword(brief.wrong, brief.next, done)));
    out.changeWeak = await outcome(() => node((done) => first.changePassword(brief.password, "weak", done)));
    out.changed = await outcome(() => node((done) => first.changePassword(brief.password, brief.next, done)));
    out.srpOld = await outcome(() => signIn(SRP, brief.password));
    out.passwordOld = await outcome(() => signIn(PASSWORD, brief.password));
    const second = await signIn(SRP, brief.next);
    out.passwordNew = await outcome(() => signIn(PASSWORD, brief.next));

    // Signing out ends one session, and everywhere ends them all.
    const third = await signIn(SRP, brief.next);
    const kept = { ...session(third) };
    await node((done) => third.signOut(done));
    third.setSignInUserSession(Object.assign(Object.create(Object.getPrototypeOf(session(second))), kept));
    out.signedOut = await outcome(() => attributes(third));
    out.signedOutRefresh = await outcome(() => refresh(third));
    out.othersStay = await outcome(() => attributes(second));
    await callbacks((c) => first.globalSignOut(c));
    out.everywhere = await outcome(() => attributes(second));
    out.everywhereRefresh = await outcome(() => refresh(second));
    out.again = await outcome(() => signIn(SRP, brief.next));
  },
};

const out = {};
await acts[brief.act](out);
console.log(JSON.stringify(out));

// The AWS SDK for JavaScript as a client of a sandbox. Standard input is the
// object that "poolferry sandbox --json" prints, with "wrong", a password that
// is not the sample user's; standard output is what happened, as one JSON
// object. It judges nothing but tokens: client_test.go does.
import { createPublicKey, verify } from "node:crypto";
import { text } from "node:stream/consumers";
import {
  AdminGetUserCommand,
  CognitoIdentityProviderClient,
  CognitoIdentityProviderServiceException,
  GetUserCommand,
  InitiateAuthCommand,
  ListUsersCommand,
  NotAuthorizedException,
  UserNotFoundException,
  paginateListUsers,
} from "@aws-sdk/client-cognito-identity-provider";

const brief = JSON.parse(await text(process.stdin));
const { name: username, password } = brief.sample_sign_in;

const connect = (site, credentials) =>
  new CognitoIdentityProviderClient({ endpoint: brief.endpoint, region: site.region, maxAttempts: 1, credentials });
const operator = (site) => connect(site, { accessKeyId: site.access_key_id, secretAccessKey: site.secret_access_key });
const source = operator(brief.source);
const target = operator(brief.target);
const stranger = connect(brief.source, { accessKeyId: "AKIAUNKNOWN123456789", secretAccessKey: "wrong" });

// outcome is what a call came to: ok, or the error by name and class.
async function outcome(call) {
  try {
    await call();
    return { ok: true };
  } catch (error) {
    const classes = { NotAuthorizedException, UserNotFoundException };
    return {
      name: error.name,
      message: error.message,
      typed: Object.keys(classes).find((c) => error instanceof classes[c]) ?? "",
      service: error instanceof CognitoIdentityProviderServiceException,
    };
  }
}

const signIn = (secret) =>
  target.send(
    new InitiateAuthCommand({
      ClientId: brief.target.client_id,
      AuthFlow: "USER_PASSWORD_AUTH",
      AuthParameters: { USERNAME: username, PASSWORD: secret },
    }),
  );
const read = () => target.send(new AdminGetUserCommand({ UserPoolId: brief.target.pool_id, Username: username }));
const attributes = (list) => Object.fromEntries(list.map((a) => [a.Name, a.Value]));

// verified returns a token's claims after checking its signature with the key
// that its issuer publishes.
async function verified(token) {
  const [header, claims, signature] = token.split(".");
  const parse = (part) => JSON.parse(Buffer.from(part, "base64url"));
  const { kid, alg } = parse(header);
  const { keys } = await (await fetch(`${parse(claims).iss}/.well-known/jwks.json`)).json();
  const jwk = keys.find((k) => k.kid === kid);
  const valid = verify("RSA-SHA256", `${header}.${claims}`, createPublicKey({ key: jwk, format: "jwk" }), Buffer.from(signature, "base64url"));
  if (alg !== "RS256" || !valid) throw new Error(`token of ${parse(claims).iss}: the signature is wrong`);
  return parse(claims);
}

const out = { pages: [] };
for await (const page of paginateListUsers({ client: source }, { UserPoolId: brief.source.pool_id })) {
  out.pages.push(page.Users.length);
}
const found = await source.send(new ListUsersCommand({ UserPoolId: brief.source.pool_id, Filter: `username = "${username}"` }));
out.sourceSub = attributes(found.Users[0].Attributes).sub;

out.stranger = await outcome(() => stranger.send(new ListUsersCommand({ UserPoolId: brief.source.pool_id })));
out.before = await outcome(read);
out.wrong = await outcome(() => signIn(brief.wrong));
out.stillBefore = await outcome(read);

const { AuthenticationResult: tokens } = await signIn(password);
const id = await verified(tokens.IdToken);
const access = await verified(tokens.AccessToken);
out.idToken = { use: id.token_use, audience: id.aud, username: id["cognito:username"], legacySub: id["custom:legacy_sub"] };
out.accessToken = { use: access.token_use, client: access.client_id, sameSub: access.sub === id.sub };

const migrated = await read();
out.migrated = { username: migrated.Username, status: migrated.UserStatus, enabled: migrated.Enabled, legacySub: attributes(migrated.UserAttributes)["custom:legacy_sub"] };
out.again = await outcome(() => signIn(password));
out.wrongAfter = await outcome(() => signIn(brief.wrong));
const self = await target.send(new GetUserCommand({ AccessToken: tokens.AccessToken }));
out.self = self.Username;

console.log(JSON.stringify(out));

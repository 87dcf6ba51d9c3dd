// The throw-away function behind a probe's user pool, in a language that needs
// no build: what reply of ground_test.go says.
const { cases } = SCRIPT;

export const handler = async (event) => {
  const found = /poolferry-live-([a-z0-9]+)-/.exec(event.userName);
  const reply = found && cases[found[1]];
  if (!reply) return event;
  if (reply.raise === event.triggerSource) throw new Error(event.triggerSource);
  const migration = event.triggerSource.startsWith("UserMigration_");
  if (reply.seconds && (reply.at ? event.triggerSource === reply.at : migration)) await new Promise((done) => setTimeout(done, reply.seconds * 1000));
  if (!migration) return event;
  if (reply.response) event.response = JSON.parse(JSON.stringify(reply.response).replaceAll("{name}", event.userName));
  if (reply.clear_password) event.request.password = "";
  return event;
};

// An interpreter of Amazon States Language that others wrote runs one execution.
// Standard input is a JSON object: definition, input and context of the
// execution, and where Lambda is (endpoint, region, credentials; without
// endpoint no Task is answered here). Standard output is what it came to:
// {status, output, error, cause, started}, where started are the inputs of the
// executions that it would have started. states_test.go judges it.
import { text } from "node:stream/consumers";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";

// The interpreter is for Node.js 22, of which it needs no more than this.
Promise.withResolvers ??= function () {
  const parts = {};
  parts.promise = new this((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};
const { StateMachine } = await import("aws-local-stepfunctions");

const { definition, input, context, endpoint, region, credentials } = JSON.parse(await text(process.stdin));

// failure is an error as Retry and Catch see it.
const failure = (name, cause) => Object.assign(new Error(cause), { name });

const lambda = new LambdaClient({ endpoint, region, credentials, maxAttempts: 1 });
const started = [];

// What the interpreter does not have: the integrations of Step Functions, by
// resource, with the errors that each of them reports.
const integrations = {
  "arn:aws:states:::lambda:invoke": async ({ FunctionName, Payload }) => {
    const answer = await lambda
      .send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(Payload) }))
      .catch((error) => Promise.reject(failure(`Lambda.${error.name}`, error.message)));
    const payload = answer.Payload.transformToString();
    if (answer.FunctionError) {
      throw failure(JSON.parse(payload).errorType, payload);
    }
    return { ExecutedVersion: answer.ExecutedVersion, Payload: JSON.parse(payload), StatusCode: answer.StatusCode };
  },
  "arn:aws:states:::states:startExecution": async ({ StateMachineArn, Input }) => {
    started.push({ machine: StateMachineArn, input: Input });
    return { ExecutionArn: "arn:aws:states:::express:started", StartDate: 0 };
  },
};

// tasks lists the names and definitions of all Task states, those in a Map too.
const tasks = ({ States }) =>
  Object.entries(States).flatMap(([name, state]) =>
    state.Type === "Task" ? [[name, state]] : state.ItemProcessor ? tasks(state.ItemProcessor) : [],
  );

const overrides = { taskResourceLocalHandlers: {}, retryIntervalOverrides: {} };
for (const [name, { Resource, Retry }] of tasks(definition)) {
  if (endpoint) overrides.taskResourceLocalHandlers[name] = integrations[Resource];
  if (Retry) overrides.retryIntervalOverrides[name] = 0; // how long it waits is not compared
}

const outcome = await new StateMachine(definition).run(input, { overrides, context }).result.then(
  (output) => ({ status: "SUCCEEDED", output }),
  ({ name, cause }) => ({ status: "FAILED", error: cause?.name ?? name, cause: cause?.message ?? "" }),
);
console.log(JSON.stringify({ ...outcome, started }));

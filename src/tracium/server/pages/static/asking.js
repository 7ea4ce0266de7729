// Questions to the server's API: the answer, or an error that says in a sentence what to do.

/** What the API answers, as JSON; `told` is sent as JSON. */
export async function ask(method, url, told) {
  const answer = await reach(url, {
    method,
    headers: told === undefined ? {} : { "Content-Type": "application/json" },
    body: told === undefined ? undefined : JSON.stringify(told),
  });
  if (answer.status === 204) return {};
  // What stands between, such as a proxy, does not answer in JSON.
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(value.error ?? `The answer was ${answer.status}, without a reason. Load the page again.`);
  return value;
}

/** The text at an address. */
export async function read(url) {
  const answer = await reach(url, {});
  if (!answer.ok) throw new Error(`The answer was ${answer.status}. Load the page again.`);
  return answer.text();
}

async function reach(url, options) {
  try {
    return await fetch(url, options);
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
}

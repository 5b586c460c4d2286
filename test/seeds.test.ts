/**
 * The examples of the five documents that the REST routes come from, run as they stand: by curl, node and python3, with
 * the address and the key replaced, and a year on where an expiry has passed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';

const missing = ['curl', 'python3'].filter((program) => spawnSync(program, ['--version']).status !== 0);
if (missing.length > 0)
  process.stderr.write(`\n*** NOT TESTED: ${missing.join(' and ')} not found on the PATH. ***\n\n`);

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await server.gql('mutation { createProject(input: { name: "Website" }) { project { id } } }');
  await server.gql(`mutation { createTask(input: { title: "Review API documentation" }) { task { id } } }`);
});
afterAll(() => server.stop());

interface Run {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** Without blocking the server, which runs in this process. */
function run(program: string, args: string[], environment: Record<string, string> = {}): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...environment } });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ stdout, stderr, code }));
  });
}

/** The example with our server and key in it. */
function here(example: string, key = server.adminKey): string {
  return example
    .replace(
      /https:\/\/(?:taskmaster-speakeasyapi\.vercel\.app|api\.taskflow\.com|api\.taskmanagement\.example\.com|api\.example\.com|your-kaneo-instance\.com)/g,
      server.origin,
    )
    .replace(/your_api_key_here|YOUR_API_KEY|EXISTING_API_KEY|your-api-key-here/g, key);
}

const shell = (example: string) =>
  run('sh', [
    '-c',
    here(example)
      .replace(/\\\\\n/g, '\\\n')
      .replace(/^curl /, 'curl -sS '),
  ]);
const node = (example: string, environment = {}) =>
  run('node', ['--input-type=module', '-e', here(example)], environment);

/** Where python has no requests, a stand-in of the standard library for what the examples use of it. */
const REQUESTS = `
import sys, types
try:
    import requests
except ImportError:
    import json, urllib.request, urllib.error
    class Response:
        def __init__(self, status_code, text):
            self.status_code, self.text = status_code, text
        def json(self):
            return json.loads(self.text)
        def raise_for_status(self):
            if self.status_code >= 400:
                raise RuntimeError(self.status_code)
    def get(url, headers={}):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                return Response(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Response(error.code, error.read().decode())
    sys.modules['requests'] = types.SimpleNamespace(get=get)
`;
const python = (example: string) => run('python3', ['-c', REQUESTS + here(example)]);

const json = ({ stdout, stderr }: Run) => {
  expect(stderr).toBe('');
  return JSON.parse(stdout);
};

describe.skipIf(missing.includes('curl'))('curl', () => {
  it('Taskmaster: the tasks, by x-api-key', async () => {
    const tasks = json(
      await shell(`curl -X GET https://taskmaster-speakeasyapi.vercel.app/api/tasks \\\\
  -H "x-api-key: your_api_key_here"`),
    );
    expect(Object.keys(tasks[0]).sort()).toEqual(
      ['id', 'title', 'description', 'status', 'project_id', 'created_at', 'updated_at', 'created_by'].sort(),
    );
    expect(tasks[0]).toMatchObject({ title: 'Review API documentation', status: 'todo' });
  });

  it('TaskFlow: the projects, by bearer', async () => {
    const projects = json(
      await shell(`curl -X GET "https://api.taskflow.com/api/projects" \\
  -H "Authorization: Bearer YOUR_API_KEY"`),
    );
    expect(projects).toMatchObject([{ name: 'Website' }]);
  });

  it('Task Management API: the tasks', async () => {
    const { data, pagination } = json(
      await shell(`curl -X GET https://api.taskmanagement.example.com/v1/tasks \\
  -H "Authorization: Bearer YOUR_API_KEY"`),
    );
    expect(data).toMatchObject([{ status: 'TODO' }]);
    expect(pagination).toEqual({ total: 1, limit: 10, offset: 0, hasMore: false });
  });

  it('API Keys: the tasks', async () => {
    expect(
      json(
        await shell(`curl -H "Authorization: Bearer YOUR_API_KEY" \\
  https://api.example.com/v1/tasks`),
      ).data,
    ).toHaveLength(1);
  });

  it('Kaneo: the tasks of a workspace', async () => {
    const tasks = json(
      await shell(`curl -X GET https://your-kaneo-instance.com/api/task?workspaceId=your-workspace-id \\
  -H "Authorization: Bearer your-api-key-here" \\
  -H "Content-Type: application/json"`),
    );
    expect(tasks).toMatchObject([{ title: 'Review API documentation', status: 'to-do', priority: 'no-priority' }]);
  });

  it('API Keys: the requests that are written as HTTP', async () => {
    const send = async (method: string, path: string, body?: object) => {
      const args = ['-sS', '-X', method, '-H', `Authorization: Bearer ${server.adminKey}`];
      if (body) args.push('-H', 'Content-Type: application/json', '-d', JSON.stringify(body));
      return run('curl', [...args, server.origin + path]);
    };
    const made = json(
      await send('POST', '/v1/api-keys', {
        name: 'New Integration',
        permissions: ['tasks:read', 'tasks:write'],
        expires_at: '2027-10-14T00:00:00Z',
      }),
    );
    expect(Object.keys(made)).toEqual(['id', 'key', 'name', 'permissions', 'created_at', 'expires_at']);
    expect(made.key).toMatch(/^sk_live_/);
    const list = json(await send('GET', '/v1/api-keys'));
    expect(Object.keys(list.data[0]).sort()).toEqual(
      ['id', 'name', 'prefix', 'last_used', 'created_at', 'expires_at'].sort(),
    );
    const changed = json(
      await send('PATCH', `/v1/api-keys/${made.id}`, {
        name: 'Production App (updated)',
        permissions: ['tasks:read', 'tasks:write', 'projects:read'],
      }),
    );
    expect(changed.permissions).toEqual(['tasks:read', 'tasks:write', 'projects:read']);
    const extended = json(await send('PATCH', `/v1/api-keys/${made.id}`, { expires_at: '2028-12-31T23:59:59Z' }));
    expect(extended.expires_at).toBe('2028-12-31T23:59:59Z');
    const details = json(await send('GET', `/v1/api-keys/${made.id}`));
    expect(Object.keys(details.usage)).toEqual(['requests_today', 'requests_this_month']);
    expect(json(await send('DELETE', `/v1/api-keys/${made.id}`))).toEqual({ id: made.id, deleted: true });
    json(await send('POST', '/v1/api-keys', { name: 'Read-only Key', permissions: ['tasks:read', 'projects:read'] }));
    json(await send('POST', '/v1/api-keys', { name: 'Temporary Key', expires_at: '2027-12-31T23:59:59Z' }));
    const limit = json(await send('GET', '/v1/rate-limit'));
    expect(Object.keys(limit)).toEqual(['limit', 'remaining', 'reset', 'reset_at']);
  });
});

describe('JavaScript', () => {
  it('TaskFlow', async () => {
    const { stdout, stderr } = await node(`
const response = await fetch('https://api.taskflow.com/api/projects', {
  headers: {
    'Authorization': 'Bearer YOUR_API_KEY'
  }
});

if (response.ok) {
  const projects = await response.json();
  console.log(projects);
} else {
  console.error(\`Error: \${response.status}\`);
}`);
    expect(stderr).toBe('');
    expect(stdout).toContain("name: 'Website'");
  });

  it('Task Management API, with axios where fetch does the same', async () => {
    const { stdout, stderr } = await node(`
const axios = { async get(url, options) {
  const answer = await fetch(url, options);
  const data = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(), { response: { data } });
  return { data };
} };

const apiKey = 'YOUR_API_KEY';
const baseUrl = 'https://api.taskmanagement.example.com/v1';

async function getTasks() {
  try {
    const response = await axios.get(\`\${baseUrl}/tasks\`, {
      headers: {
        'Authorization': \`Bearer \${apiKey}\`
      }
    });

    return response.data;
  } catch (error) {
    console.error('Authentication error:', error.response.data);
  }
}
console.log(JSON.stringify(await getTasks()));`);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout).pagination.total).toBe(1);
  });

  it('API Keys, the complete example', async () => {
    const { stdout, stderr } = await node(
      `
// Load from environment
const apiKey = process.env.PRODUCT_API_KEY;

if (!apiKey) {
  throw new Error('API key not found');
}

// Create client
async function makeRequest(endpoint, options = {}) {
  const response = await fetch(
    \`https://api.example.com/v1\${endpoint}\`,
    {
      ...options,
      headers: {
        'Authorization': \`Bearer \${apiKey}\`,
        'Content-Type': 'application/json',
        ...options.headers
      }
    }
  );

  // Check rate limits
  const remaining = response.headers.get('X-RateLimit-Remaining');
  if (remaining < 100) {
    console.warn('Rate limit low:', remaining);
  }

  // Handle errors
  if (!response.ok) {
    const error = await response.json();
    throw new Error(error.message);
  }

  return response.json();
}

// Use it
const tasks = await makeRequest('/tasks');
console.log(JSON.stringify(tasks));
try {
  await makeRequest('/tasks/none');
} catch (error) {
  console.log(error.message);
}`,
      { PRODUCT_API_KEY: server.adminKey },
    );
    expect(stderr).toBe('');
    const [tasks = '', message] = stdout.trim().split('\n');
    expect(JSON.parse(tasks).data).toHaveLength(1);
    expect(message).toBe('No task with id "none".');
  });

  it('Kaneo', async () => {
    const { stdout, stderr } = await node(`
const response = await fetch('https://your-kaneo-instance.com/api/task?workspaceId=your-workspace-id', {
  method: 'GET',
  headers: {
    'Authorization': 'Bearer your-api-key-here',
    'Content-Type': 'application/json'
  }
});
console.log(response.status, (await response.json()).length);`);
    expect(stderr).toBe('');
    expect(stdout.trim()).toBe('200 1');
  });
});

describe.skipIf(missing.includes('python3'))('Python', () => {
  it('TaskFlow', async () => {
    const { stdout, stderr } = await python(`
import requests

headers = {'Authorization': 'Bearer YOUR_API_KEY'}
response = requests.get('https://api.taskflow.com/api/projects', headers=headers)

if response.status_code == 200:
    projects = response.json()
    print(projects)
else:
    print(f"Error: {response.status_code}")
`);
    expect(stderr).toBe('');
    expect(stdout).toContain("'name': 'Website'");
  });

  it('Task Management API, with a good key and a bad one', async () => {
    const example = `
import requests

api_key = 'YOUR_API_KEY'
base_url = 'https://api.taskmanagement.example.com/v1'

def get_tasks():
    headers = {
        'Authorization': f'Bearer {api_key}'
    }

    response = requests.get(f'{base_url}/tasks', headers=headers)

    if response.status_code == 401:
        print('Authentication error:', response.json())
        return None

    response.raise_for_status()
    return response.json()
print(get_tasks())
`;
    expect((await python(example)).stdout).toContain("'total': 1");
    const refused = await python(example.replace('YOUR_API_KEY', 'abc123'));
    expect(refused.stdout).toContain("Authentication error: {'error': {'code': 'unauthorized'");
  });

  it('API Keys', async () => {
    const { stdout } = await python(`
import requests

headers = {
    'Authorization': 'Bearer YOUR_API_KEY',
    'Content-Type': 'application/json'
}

response = requests.get('https://api.example.com/v1/tasks', headers=headers)
print(response.status_code)
`);
    expect(stdout.trim()).toBe('200');
  });
});

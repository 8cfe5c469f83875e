// The life of a flow, with the client that openapi-generator's typescript-axios generates from openapi.yaml.
//
// The compiler holds this file to the types of the client. Every answer must have the expected status.

import assert from 'node:assert/strict'
import type { AxiosResponse } from 'axios'
import { Configuration, FlowsApi, HistoryApi, ReleasesApi } from './client'
import type { FlowAnswer, FlowConfiguration, InvalidNewFlow, NewFlow, NoLiveFlow, PreconditionFailed } from './client'

const { URL: basePath, TOKEN: accessToken } = process.env
const settings = new Configuration({
  basePath,
  accessToken,
  // Each status is checked below.
  baseOptions: { timeout: 30_000, validateStatus: () => true }
})
const flows = new FlowsApi(settings)
const history = new HistoryApi(settings)
const releases = new ReleasesApi(settings)

/** The answer, if it has the expected status. */
const expect = async <Answer>(status: number, sent: Promise<AxiosResponse<Answer>>) => {
  const answer = await sent
  assert.equal(answer.status, status, JSON.stringify(answer.data))
  return { ...answer.data, etag: answer.headers.etag as string }
}
/** A refusal. The client has types for it, but promises only success. */
const refusal = async <Failure>(status: number, sent: Promise<AxiosResponse<unknown>>) =>
  await expect(status, sent as Promise<AxiosResponse<Failure>>)
/** A new flow. The type of the answer is that of a dry run (200), because the client has only one type for all 2xx. */
const created = async (newFlow: NewFlow, key?: string) =>
  await expect(201, flows.createProjectFlow(newFlow, undefined, undefined, key) as Promise<AxiosResponse<FlowAnswer>>)

const life = async () => {
  const configuration: FlowConfiguration = {
    emailVerification: { enabled: true, method: 'code', mine: [1] },
    securityThresholds: { face: 0.9 },
    mine: {}
  }
  const steps: NewFlow['steps'] = [{ stepType: 'email', order: 1, required: true, config: { mine: 1.5 } }]
  const content: NewFlow = { project: 'wallet', type: 'login', name: 'Login', configuration, steps }

  assert.equal((await expect(200, flows.createProjectFlow(content, true))).data.name, 'Login')
  const first = await created(content, 'generated-client')
  const flow = first.data
  assert.deepEqual([flow.status, flow.version, first.etag], ['draft', 1, '"1"'])
  assert.deepEqual([flow.configuration, flow.steps], [configuration, steps])
  assert.deepEqual(await created(content, 'generated-client'), first)
  const invalid = await refusal<InvalidNewFlow>(400, flows.createProjectFlow({ ...content, name: '' }))
  assert.deepEqual(invalid.details?.map(({ path, code }) => [path, code]), [['/name', 'INVALID_NAME']])

  assert.deepEqual((await expect(200, flows.retrieveProjectFlow(flow._id))).data, flow)
  await expect(304, flows.retrieveProjectFlow(flow._id, undefined, first.etag))
  await expect(200, flows.retrieveProjectFlow(flow._id, flow.createdAt))
  const listed = await expect(200, flows.listProjectFlows(undefined, 1))
  assert.deepEqual([listed.data.map(({ _id }) => _id), listed.pagination.total], [[flow._id], 1])

  const thresholds = { securityThresholds: { face: null, voice: 0.8 } }
  const patched = await expect(200, flows.patchProjectFlow(flow._id, { configuration: thresholds }, undefined, undefined, '"1"'))
  assert.deepEqual(patched.data.configuration.securityThresholds, { voice: 0.8 })
  // A flow that is read, edited and sent back. Of its statuses, `deleted` cannot be set, and the types know that.
  const updated = await expect(200, flows.updateProjectFlow(flow._id, { ...patched.data, status: 'draft', name: 'Log in' }))
  assert.deepEqual([updated.data.name, updated.data.version], ['Log in', 3])
  assert.deepEqual(updated.data.configuration, patched.data.configuration)
  const late = flows.updateProjectFlow(flow._id, { name: 'Late' }, undefined, undefined, '"1"')
  assert.equal((await refusal<PreconditionFailed>(412, late)).message, 'VERSION_CONFLICT')

  const versions = await expect(200, history.listVersions(flow._id))
  assert.deepEqual(versions.data.map(({ version }) => version), [3, 2, 1])
  assert.deepEqual((await expect(200, history.retrieveVersion(flow._id, 1))).data, flow)
  const patch = (await expect(200, history.diffVersions('1', flow._id, 3))).data
  assert.ok(patch.some(operation => operation.op === 'replace' && operation.path === '/name' && operation.value === 'Log in'))
  assert.ok(patch.some(({ op, path }) => op === 'remove' && path === '/configuration/securityThresholds/face'))
  const restored = await expect(200, history.restoreVersion(flow._id, 1, undefined, 'As it was'))
  assert.deepEqual([restored.data.name, restored.data.version], ['Login', 4])
  const active = await expect(200, flows.updateProjectFlow(flow._id, { status: 'active' }))
  assert.deepEqual([active.data.status, active.data.version], ['active', 5])

  const place = ['wallet', 'login'] as const
  assert.equal((await refusal<NoLiveFlow>(404, releases.retrieveLiveFlow(...place))).message, 'NO_LIVE_FLOW')
  await refusal(409, releases.releaseProjectFlow(...place, { _id: flow._id, version: 1 }))
  const released = await expect(200, releases.releaseProjectFlow(...place, { _id: flow._id, version: 5 }, undefined, 'First'))
  assert.deepEqual([released.release.number, released.etag], [1, '"1"'])
  const live = await expect(200, releases.retrieveLiveFlow(...place))
  assert.deepEqual(live, released)
  await expect(304, releases.retrieveLiveFlow(...place, undefined, live.etag))
  await expect(200, releases.retrieveLiveFlow(...place, live.release.since))
  const places = await expect(200, releases.listLiveFlows())
  assert.deepEqual(places.data.map(({ release }) => release.number), [1])
  const withdrawn = await expect(200, releases.withdrawProjectFlow(...place, undefined, 'Incident', '"1"'))
  assert.deepEqual([withdrawn.data, withdrawn.release.number], [null, 2])
  const past = (await expect(200, releases.listReleases(...place))).data
  assert.deepEqual([past.map(({ number }) => number), past[1]?.until], [[2, 1], past[0]?.since])
  const { data: changes } = await expect(200, history.listChanges(undefined, undefined, place[0], undefined, 2))
  assert.deepEqual(changes.map(({ action, release }) => [action, release]), [['withdrawn', 2], ['released', 1]])

  await refusal(409, flows.deleteProjectFlow(flow._id))
  await expect(200, flows.updateProjectFlow(flow._id, { status: 'paused', description: null }))
  assert.equal((await expect(200, flows.deleteProjectFlow(flow._id))).data.version, 7)
  const trash = await expect(200, flows.listProjectFlows(undefined, undefined, undefined, undefined, 'deleted'))
  assert.deepEqual(trash.data.map(({ _id }) => _id), [flow._id])
  await refusal(404, flows.retrieveProjectFlow(flow._id))
}

life().catch(error => {
  console.error(error)
  process.exitCode = 1
})

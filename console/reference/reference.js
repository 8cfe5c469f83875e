// Shows openapi.yaml with Scalar. Nothing is fetched but this folder, and the API when somebody tries it.
//
// The fragment may bring a token and an address: `#token=…&api=…`. They are taken out of the address bar, and kept nowhere
// but in this page.

const fragment = new URLSearchParams(location.hash.slice(1))
if (fragment.has('token')) history.replaceState(null, '', location.pathname)

const given = fragment.get('api')

Scalar.createApiReference('#reference', {
  url: 'openapi.yaml',
  // Where a function was named, "try it" goes there and not to the servers of the document.
  ...(given && { servers: [{ url: given, description: 'The function of `make run`' }] }),
  authentication: {
    preferredSecurityScheme: 'token',
    securitySchemes: { token: { token: fragment.get('token') ?? '' } }
  },
  // The renderer's services: none of them is used.
  proxyUrl: '',
  telemetry: false,
  withDefaultFonts: false,
  hideClientButton: true,
  showDeveloperTools: 'never',
  agent: { disabled: true },
  mcp: { disabled: true },
  persistAuth: false,
  externalUrls: { dashboardUrl: '', registryUrl: '', proxyUrl: '', apiBaseUrl: '' },
  // The looks.
  theme: 'none',
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
  documentDownloadType: 'direct',
  modelsSectionLabel: 'Schemas',
  customCss: `
    :root { --scalar-font: system-ui, sans-serif; --scalar-font-code: ui-monospace, monospace; }
    .light-mode { --scalar-color-accent: #0f766e; --scalar-background-accent: #0f766e1f; }
    .dark-mode { --scalar-color-accent: #2dd4bf; --scalar-background-accent: #2dd4bf1f; }
  `
})

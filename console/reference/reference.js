// Shows openapi.yaml with Scalar. Nothing is fetched but this folder, and the API when somebody tries it: the server of the
// document, which `make run` replaces by its own function.
//
// The fragment may bring a token: `#token=…`. It is taken out of the address bar, and kept nowhere but in this page.

const fragment = new URLSearchParams(location.hash.slice(1))
if (fragment.has('token')) history.replaceState(null, '', location.pathname)

Scalar.createApiReference('#reference', {
  url: 'openapi.yaml',
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
  // The colours of the console, each readable on its background; the renderer's own are too pale for small text.
  customCss: `
    :root { --scalar-font: Inter, system-ui, sans-serif; --scalar-font-code: ui-monospace, monospace; }
    .light-mode {
      --scalar-color-accent: #0f766e; --scalar-background-accent: #e0f2ef;
      --scalar-color-1: #14201e; --scalar-color-2: #43524f; --scalar-color-3: #566663;
      --scalar-background-1: #fff; --scalar-background-2: #f4f7f6; --scalar-background-3: #e8eeec; --scalar-border-color: #dde5e3;
      --scalar-color-green: #166534; --scalar-color-red: #b42318; --scalar-color-yellow: #854d0e;
      --scalar-color-blue: #0b5394; --scalar-color-orange: #9a3412; --scalar-color-purple: #6d28d9;
    }
    .dark-mode {
      --scalar-color-accent: #5eead4; --scalar-background-accent: #12322e;
      --scalar-color-1: #e7efed; --scalar-color-2: #b9c8c4; --scalar-color-3: #9db0ab;
      --scalar-background-1: #0e1413; --scalar-background-2: #161f1d; --scalar-background-3: #24312e; --scalar-border-color: #283532;
      --scalar-color-green: #86efac; --scalar-color-red: #fda29b; --scalar-color-yellow: #fcd34d;
      --scalar-color-blue: #7dd3fc; --scalar-color-orange: #fdba74; --scalar-color-purple: #c4b5fd;
    }
  `
})

// What the renderer leaves out for screen readers: the elements, and their attributes; `undefined` for none. tests/browser found
// them, and says when there are others.
const repairs = [
  ['button[class*=copy-button]', { 'aria-label': 'Copy', 'aria-controls': undefined }],
  ['button[role=none]', { role: undefined }],
  ['[role=combobox]:not([aria-expanded])', { 'aria-expanded': 'false' }],
  ['[role=textbox]:not([aria-label])', { 'aria-label': 'Body' }]
]
new MutationObserver(() => {
  for (const [selector, attributes] of repairs) {
    for (const element of document.querySelectorAll(selector)) {
      for (const [name, value] of Object.entries(attributes)) {
        if (value === undefined) element.removeAttribute(name)
        else element.setAttribute(name, value)
      }
    }
  }
}).observe(document.body, { childList: true, subtree: true })

/**
 * An audit as pages and files: HTML for people, JUnit and Markdown for a pipeline, JSON for programs, SARIF for code hosts.
 *
 * @module dlg-ts/report
 */

export { type AuditPictures, auditHtml } from './audit/html'
export { auditJson, REPORT_VERSION } from './audit/json'
export { auditJunit } from './audit/junit'
export { auditMarkdown } from './audit/markdown'
export { auditSarif } from './audit/sarif'

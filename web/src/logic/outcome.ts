/**
 * Refusals. The server answers with an OperationOutcome whose issues may name a form field by its linkId in
 * `expression`; what can be put at a field is put there, the rest above the form.
 */
import { extensionValue, type Extension, type Issue, type Reference, type Resource } from './fhir.ts';

export interface Refusal {
  status: number;
  /** Rule code of the package, where one was given. */
  rule?: string;
  issues: Issue[];
  retryAfterS?: number;
  /** What the server computed all the same (urn:menkou:beside). */
  beside?: Resource;
}

export interface Sorted {
  fields: Map<string, string[]>;
  general: string[];
}

export function issueText(issue: Issue): string {
  const coding = issue.details?.coding?.[0];
  return issue.details?.text ?? issue.diagnostics ?? coding?.display ?? coding?.code ?? issue.code;
}

export function issuesOf(body: unknown): Issue[] {
  const resource = body as (Resource & { issue?: Issue[] }) | undefined;
  return resource?.resourceType === 'OperationOutcome' ? (resource.issue ?? []) : [];
}

function besideOf(body: unknown): Resource | undefined {
  const outcome = body as (Resource & { contained?: Resource[]; extension?: Extension[] }) | undefined;
  const named = (extensionValue(outcome, 'urn:menkou:beside') as Reference | undefined)?.reference;
  return named ? outcome?.contained?.find((r) => `#${r.id}` === named) : undefined;
}

export function refusalOf(status: number, body: unknown, retryAfter?: string | null): Refusal {
  const issues = issuesOf(body);
  const rule = issues.map((i) => i.details?.coding?.[0]?.code).find(Boolean);
  const seconds = Number(retryAfter ?? NaN);
  return { status, rule, issues, retryAfterS: Number.isFinite(seconds) ? seconds : undefined, beside: besideOf(body) };
}

/** The linkId that an expression names: bare, or inside a FHIRPath such as `item.where(linkId='a').answer`. */
export function linkIdOf(expression: string, known: ReadonlySet<string>): string | undefined {
  if (known.has(expression)) return expression;
  const quoted = [...expression.matchAll(/linkId\s*=\s*'([^']+)'/g)].map((m) => m[1]);
  for (const id of quoted.reverse()) if (known.has(id)) return id;
  const words = expression.split(/[.[\]/]/).reverse();
  return words.find((word) => known.has(word));
}

export function sortIssues(issues: Issue[], known: ReadonlySet<string>): Sorted {
  const sorted: Sorted = { fields: new Map(), general: [] };
  for (const issue of issues) {
    const link = (issue.expression ?? []).map((e) => linkIdOf(e, known)).find(Boolean);
    if (!link) sorted.general.push(issueText(issue));
    else sorted.fields.set(link, [...(sorted.fields.get(link) ?? []), issueText(issue)]);
  }
  return sorted;
}

/* What operations say: sentences, issues, OperationOutcomes. */
#include "fhir_term_inner.h"
#include "fhir_write.h"

static const struct {
    const char *id, *en, *zh;
} MESSAGES[] = {
#define X(name, id, en, zh) {id, en, zh},
#include "fhir_term_messages.def"
#undef X
};

static const char *term_message_id(TermMessage m)
{
    return MESSAGES[m].id;
}

Str term_text(const FhirTerm *t, TermMessage m, const Str *arg, size_t n)
{
    Buf out;
    buf_init(&out, 0);
    for (const char *p = t->zh ? MESSAGES[m].zh : MESSAGES[m].en; *p; p++) {
        if (p[0] == '{' && p[1] >= '0' && p[1] <= '9' && p[2] == '}') {
            size_t i = (size_t)(p[1] - '0');
            buf_add(&out, i < n ? arg[i] : STR_NONE);
            p += 2;
        } else {
            buf_char(&out, *p);
        }
    }
    return buf_take(&out, t->arena);
}

TermIssue *term_issue_add(FhirTerm *t, TermIssues *list, TermIssue issue)
{
    for (TermIssue *x = list->first; x; x = x->next) {
        if (x->message == issue.message && x->severity == issue.severity &&
            str_eq(x->text, issue.text) && str_eq(x->path, issue.path)) {
            return NULL;
        }
    }
    TermIssue *made = arena_new(t->arena, TermIssue);
    *made = issue;
    made->next = NULL;
    made->said = issue.said || issue.severity == SEVERITY_ERROR;
    if (list->last) {
        list->last->next = made;
    } else {
        list->first = made;
    }
    list->last = made;
    return made;
}

static void path_write(JsonWriter *w, const char *key, Str path)
{
    json_key_open(w, key, '[');
    json_put_str(w, path);
    json_close(w, ']');
}

static void issue_write(JsonWriter *w, const TermIssue *x)
{
    json_open(w, '{');
    if (*term_message_id(x->message)) {
        json_key_open(w, "extension", '[');
        fhir_extension_open(w, TERM_EXT("operationoutcome-message-id"));
        json_member_c(w, "valueString", term_message_id(x->message));
        json_close(w, '}');
        json_close(w, ']');
    }
    json_member_c(w, "severity", severity_code(x->severity));
    json_member_c(w, "code", x->code);
    json_key_open(w, "details", '{');
    if (x->kind) {
        fhir_coding_put(w, STR("http://hl7.org/fhir/tools/CodeSystem/tx-issue-type"),
                        str_from_c(x->kind), STR_NONE);
    }
    json_member_str(w, "text", x->text);
    json_close(w, '}');
    if (x->path.n) {
        path_write(w, "location", x->path);
        path_write(w, "expression", x->path);
    }
    json_close(w, '}');
}

void term_issues_write(JsonWriter *w, const TermIssues *list)
{
    json_open(w, '{');
    json_member_c(w, "resourceType", "OperationOutcome");
    json_key_open(w, "issue", '[');
    for (const TermIssue *x = list->first; x; x = x->next) {
        issue_write(w, x);
    }
    json_close(w, ']');
    json_close(w, '}');
}

Str term_outcome(const FhirTerm *t, const TermIssue *issue)
{
    Buf out;
    buf_init(&out, 0);
    JsonWriter w = json_writer(&out);
    TermIssue alone = *issue;
    alone.next = NULL;
    term_issues_write(&w, &(TermIssues){&alone, &alone});
    return buf_take(&out, t->arena);
}

void term_fault(FhirTerm *t, int status, const char *code, const char *kind, TermMessage m,
                Str text)
{
    if (t->fault) {
        return;
    }
    t->fault = arena_new(t->arena, TermIssue);
    *t->fault = (TermIssue){.severity = SEVERITY_ERROR,
                            .code = code,
                            .kind = kind,
                            .message = m,
                            .text = text,
                            .said = true};
    t->fault_status = status;
}

void term_system_fault(FhirTerm *t, int status, const TermMessage says[3], Str url, Str version)
{
    size_t known = 0;
    Str list = version.n ? term_version_list(t, url, &known) : STR_NONE;
    TermMessage m = str_empty(version) ? says[0] : known ? says[1] : says[2];
    term_fault(t, status, "not-found", "not-found", m,
               term_text(t, m, TERM_STR_LIST(url, version, list)));
}

bool term_step(FhirTerm *t)
{
    if (++t->steps > FHIR_TERM_STEPS) {
        Str where = t->depth ? t->path[t->depth - 1] : STR_NONE;
        term_fault(t, 422, "too-costly", NULL, TERM_SAY_TOO_MUCH_WORK,
                   TERM_SAY(t, TOO_MUCH_WORK, where));
    }
    return !term_stopped(t);
}

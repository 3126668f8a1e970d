/* What a case's resources say of it, for those who count: its Task's versions, its Provenances. */
#include "flow_inner.h"

bool flow_case_facts(Arena *a, const JsonDoc *task, FlowCaseFacts *ret)
{
    Str pathway = flow_case_pathway(task);
    if (!pathway.n) {
        return false;
    }
    FlowDue *due = arena_array(a, FlowDue, FLOW_LIST_MAX);
    *ret = (FlowCaseFacts){.pathway = pathway, .due = due};
    JsonRef status = json_get_c(task, JSON_ROOT, "businessStatus");
    ret->state = flow_coding_code(task, status, FLOW_SYSTEM_STATE);
    ret->patient = json_str_at(task, JSON_ROOT, "for.reference");
    ret->requester = json_str_at(task, JSON_ROOT, "requester.reference");
    ret->owner = json_str_at(task, JSON_ROOT, "owner.reference");
    ret->priority = json_str_at(task, JSON_ROOT, "priority");
    for (JsonIter it = json_iter(task, json_get_c(task, JSON_ROOT, "extension")); json_next(&it);) {
        Str url = json_str_at(task, it.value, "url");
        FlowDeadline deadline;
        if (str_is(url, FLOW_EXT_STEP)) {
            ret->last_step = json_str_at(task, it.value, "valueCode");
        } else if (str_is(url, FLOW_EXT_DEADLINE) && ret->due_n < FLOW_LIST_MAX &&
                   flow_deadline_read(task, it.value, &deadline)) {
            due[ret->due_n++] = (FlowDue){deadline.name, deadline.due_ms};
        }
    }
    return true;
}

/* "Task/ID/_history/VID" among the targets. */
static bool target_read(const JsonDoc *d, FlowStepFacts *ret)
{
    for (JsonIter it = json_iter(d, json_get_c(d, JSON_ROOT, "target")); json_next(&it);) {
        Str rest = json_str_at(d, it.value, "reference"), type, middle;
        if (str_cut(rest, '/', &type, &rest) && str_is(type, "Task") &&
            str_cut(rest, '/', &ret->task, &rest) && str_cut(rest, '/', &middle, &ret->vid) &&
            str_is(middle, "_history")) {
            return true;
        }
    }
    return false;
}

bool flow_step_facts(Arena *a, const JsonDoc *provenance, FlowStepFacts *ret)
{
    FlowStepFacts f = {0};
    JsonRef activity = json_get_c(provenance, JSON_ROOT, "activity");
    f.action = flow_coding_code(provenance, activity, FLOW_SYSTEM_ACTION);
    if (!f.action.n || !target_read(provenance, &f) ||
        !time_parse(json_str_at(provenance, JSON_ROOT, "occurredDateTime"), 0, &f.at_ms)) {
        return false;
    }
    f.task = arena_str(a, f.task);
    *ret = f;
    return true;
}

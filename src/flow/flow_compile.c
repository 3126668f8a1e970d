/* Where a fault is, and the small parts of a package that every file shares. */
#include "flow_inner.h"

/* $.actions[3].who[0] of a token, by walking down to it. */
static void path_put(Buf *out, const JsonDoc *d, JsonRef at)
{
    JsonRef r = JSON_ROOT;
    buf_char(out, '$');
    while (r != at) {
        JsonRef down = JSON_NONE;
        for (JsonIter it = json_iter(d, r); json_next(&it);) {
            if (at < it.value || at >= d->tok[it.value].next) {
                continue;
            }
            down = it.value;
            if (json_type(d, r) == JSON_OBJECT) {
                buf_char(out, '.');
                buf_add(out, it.key);
            } else {
                buf_printf(out, "[%u]", it.index);
            }
        }
        if (down == JSON_NONE) {
            return;
        }
        r = down;
    }
}

Str flow_where(const FlowCompile *c, JsonRef at)
{
    if (!c->file) {
        return c->pkg ? c->pkg->name : STR_NONE;
    }
    Buf out;
    buf_init(&out, 4096);
    buf_add(&out, c->file->path);
    if (c->file->doc && at != JSON_NONE && at < c->file->doc->count) {
        buf_c(&out, ": ");
        path_put(&out, c->file->doc, at);
    }
    return buf_take(&out, c->arena);
}

void flow_fault(const FlowCompile *c, JsonRef at, const char *zh, const char *en)
{
    (void)flow_say(c->err, ERR_UNPROCESSABLE, STR("package"), flow_where(c, at), str_from_c(zh),
                   str_from_c(en));
}

void flow_fault_name(const FlowCompile *c, JsonRef at, const char *zh, const char *en, Str name)
{
    Str z = arena_cat(c->arena, str_from_c(zh), STR("：“"), name, STR("”"));
    Str e = arena_cat(c->arena, str_from_c(en), STR(": '"), name, STR("'"));
    (void)flow_say(c->err, ERR_UNPROCESSABLE, STR("package"), flow_where(c, at), z, e);
}

FlowText flow_text_compile(FlowCompile *c, JsonRef object, const char *member, bool required)
{
    const JsonDoc *d = c->file->doc;
    JsonRef at = json_get_c(d, object, member);
    FlowText t = {json_str_at(d, at, "zh"), json_str_at(d, at, "en")};
    bool wanted = required || at != JSON_NONE;
    if (wanted && (!t.zh.n || !t.en.n)) {
        flow_fault_name(c, at != JSON_NONE ? at : object, t.zh.n ? "缺少英文" : "缺少中文",
                        t.zh.n ? "the English text is missing" : "the Chinese text is missing",
                        str_from_c(member));
    }
    return t;
}

void flow_members_check(const FlowCompile *c, JsonRef object, const char *known)
{
    for (JsonIter it = json_iter(c->file->doc, object); json_next(&it);) {
        Str rest = str_from_c(known), word;
        bool found = false;
        while (!found && rest.n) {
            str_cut(rest, ' ', &word, &rest);
            found = str_eq(word, it.key);
        }
        if (!found) {
            flow_fault_name(c, it.value, "未知的成员", "unknown member", it.key);
        }
    }
}

int flow_state_index(const FlowPackage *p, Str code)
{
    for (size_t i = 0; i < p->state_n; i++) {
        if (str_eq(p->state[i].code, code)) {
            return (int)i;
        }
    }
    return -1;
}

const FlowFile *flow_package_file(const FlowPackage *p, Str path)
{
    for (size_t i = 0; i < p->file_n; i++) {
        if (str_eq(p->file[i].path, path)) {
            return &p->file[i];
        }
    }
    return NULL;
}

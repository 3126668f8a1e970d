/* A response as JSON, its colours, and the blobs that it names. */
#include "fhir_write.h"
#include "flow_inner.h"

/* ---- Rendering ------------------------------------------------------------------------------- */

/* r NULL: only asks whether there is anything. */
typedef struct Render {
    JsonWriter w;
    const Str *color;
} Render;

static bool render_items(Render *r, const FillScope *scope, const FlowItem *items, size_t n);

static bool slot_filled(const FillScope *scope, const FlowItem *item)
{
    const FillSlot *slot = &scope->slot[item->index];
    return slot->value_n || slot->instance_n ||
           render_items(NULL, scope, item->children, item->children_n);
}

/* The colour, and that an item is not for people: a response is shown without its Questionnaire.
 * R4's questionnaire-hidden has no place in a response. */
static void extensions_put(JsonWriter *w, Str color, bool hidden)
{
    json_key_open(w, "extension", '[');
    if (color.n) {
        json_open(w, '{');
        json_member_c(w, "url", "urn:menkou:color");
        json_member_str(w, "valueCode", color);
        json_close(w, '}');
    }
    if (hidden) {
        json_open(w, '{');
        json_member_c(w, "url", "urn:menkou:hidden");
        json_member_bool(w, "valueBoolean", true);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void item_head(Render *r, const FlowItem *item)
{
    Str color = r->color ? r->color[item->index] : STR("");
    json_open(&r->w, '{');
    if (color.n || item->hidden) {
        extensions_put(&r->w, color, item->hidden);
    }
    json_member_str(&r->w, "linkId", item->link);
    json_member_str(&r->w, "text", item->text);
}

static void children_put(Render *r, const FillScope *scope, const FlowItem *item)
{
    if (render_items(NULL, scope, item->children, item->children_n)) {
        json_key_open(&r->w, "item", '[');
        render_items(r, scope, item->children, item->children_n);
        json_close(&r->w, ']');
    }
}

static void question_put(Render *r, const FillScope *scope, const FlowItem *item)
{
    const FillSlot *slot = &scope->slot[item->index];
    item_head(r, item);
    if (slot->value_n) {
        json_key_open(&r->w, "answer", '[');
        for (size_t i = 0; i < slot->value_n; i++) {
            json_open(&r->w, '{');
            json_key_str(&r->w, slot->value[i].key);
            json_put_raw(&r->w, slot->value[i].json);
            if (i == 0) {
                children_put(r, scope, item);
            }
            json_close(&r->w, '}');
        }
        json_close(&r->w, ']');
    } else {
        children_put(r, scope, item);
    }
    json_close(&r->w, '}');
}

static bool render_items(Render *r, const FillScope *scope, const FlowItem *items, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        const FlowItem *item = &items[i];
        if (!slot_filled(scope, item)) {
            continue;
        }
        any = true;
        const FillSlot *slot = &scope->slot[item->index];
        for (size_t k = 0; r && k < slot->instance_n; k++) {
            item_head(r, item);
            children_put(r, slot->instance[k], item);
            json_close(&r->w, '}');
        }
        if (r && !slot->instance_n) {
            question_put(r, scope, item);
        }
    }
    return any;
}

Str flow_fill_render(FlowFill *f, const FlowFillEnv *env, const char *status)
{
    Buf out;
    buf_init(&out, 0);
    Render r = {json_writer(&out), strcmp(status, "in-progress") == 0 ? f->color : NULL};
    JsonWriter *w = &r.w;
    const FlowPackage *pkg = env->scope->pkg;
    json_open(w, '{');
    json_member_c(w, "resourceType", "QuestionnaireResponse");
    json_member_str(w, "questionnaire", arena_cat(f->arena, f->form->url, STR("|"), pkg->version));
    json_member_c(w, "status", status);
    fhir_reference_put(w, "subject", env->subject, STR_NONE);
    json_member_str(w, "authored", env->authored);
    fhir_reference_put(w, "author", env->author, env->author_name);
    if (render_items(NULL, &f->root, f->form->items, f->form->items_n)) {
        json_key_open(w, "item", '[');
        render_items(&r, &f->root, f->form->items, f->form->items_n);
        json_close(w, ']');
    }
    json_close(w, '}');
    Str text = buf_take(&out, f->arena);
    JsonDoc *doc = arena_new(f->arena, JsonDoc);
    Status ok = json_parse(f->arena, text, &JSON_LIMITS_FHIR, doc, NULL);
    mk_check(ok == OK);
    flow_answers_read(f->arena, doc, &f->answers);
    f->answers.form = f->form;
    f->rendered = true;
    env->scope->answers = &f->answers;
    flow_scope_set(env->scope, STR("form"),
                   fhir_values_one(f->arena, fhir_value_node(fhir_node_root(doc))));
    return text;
}

/* ---- Colours --------------------------------------------------------------------------------- */

void flow_fill_colors(FlowFill *f, const FlowFillEnv *env)
{
    Str *color = arena_array(f->arena, Str, f->form->all_n + 1);
    flow_fill_render(f, env, "in-progress");
    for (size_t i = 0; i < f->form->all_n; i++) {
        const FlowItem *item = f->form->all[i];
        if (item->shown && f->root.slot[i].value_n &&
            flow_eval_word(env->scope, item->shown, &color[i], NULL) != OK) {
            color[i] = STR_NONE;
        }
    }
    f->color = color;
    f->rendered = false;
}

/* ---- Attachments ----------------------------------------------------------------------------- */

static void scope_blobs(const FlowFill *f, const FillScope *scope, void (*fn)(void *, Str),
                        void *ctx)
{
    for (size_t i = 0; i < f->form->all_n; i++) {
        const FillSlot *slot = &scope->slot[i];
        for (size_t k = 0; k < slot->instance_n; k++) {
            scope_blobs(f, slot->instance[k], fn, ctx);
        }
        for (size_t k = 0; k < slot->value_n && f->form->all[i]->type == FLOW_ITEM_ATTACHMENT;
             k++) {
            JsonDoc d;
            if (json_parse(f->arena, slot->value[k].json, &JSON_LIMITS_FHIR, &d, NULL) == OK) {
                FhirRef ref = fhir_ref_parse(json_str_at(&d, JSON_ROOT, "url"));
                if (str_is(ref.type, "Binary")) {
                    fn(ctx, arena_cat(f->arena, STR("Binary/"), ref.id));
                }
            }
        }
    }
}

void flow_fill_blobs(const FlowFill *f, void (*fn)(void *ctx, Str reference), void *ctx)
{
    scope_blobs(f, &f->root, fn, ctx);
}

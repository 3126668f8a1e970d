/* Lint: the county's packages are clean; each rule finds its fault and says where; mutated JSON
 * never crashes. */
#include <stdio.h>

#include "flow_test.h"

static void packages_are_clean(const char *dir)
{
    TestPackages p;
    int faults = 0;
    test_packages_init(&p);
    test_packages_read(&p, dir);
    for (size_t i = 0; i < p.n; i++) {
        Err err;
        err_init(&err, &p.arena);
        if (flow_lint(&p.source[i], &err) != OK) {
            printf("%.*s:\n%.*s", STR_ARG(p.source[i].name), STR_ARG(test_issues(&p.arena, &err)));
            faults += err.count;
        }
    }
    test_packages_done(&p);
    assert_int_equal(faults, 0);
}

static void county_packages_are_clean(void **state)
{
    (void)state;
    packages_are_clean(PATHWAYS_DIR);
    packages_are_clean(FIXTURES_DIR);
}

/* ---- Each rule ------------------------------------------------------------------------------- */

typedef struct LintCase {
    const char *file, *old, *with; /* the first `old` in the file becomes `with` */
    const char *where, *says;      /* in the place and the text of an issue */
} LintCase;

static const LintCase CASES[] = {
    {"pathway.json", "\"to\": \"working\"", "\"to\": \"asked\"", "$.states[1]",
     "cannot be reached"},
    {"pathway.json", "\"task\": \"completed\"", "\"task\": \"ready\"", "$.states[3]", "dead end"},
    {"pathway.json", "\"task\": \"completed\"", "\"task\": \"finished\"", "$.states[3]",
     "not a code of Task.status"},
    {"pathway.json",
     "\"who\": [\n        {\n          \"role\": [\n            \"referral-office\"",
     "\"who\": [\n        {\n          \"role\": [\n            \"porter\"", "$.actions[0].who[0]",
     "unknown role"},
    {"pathway.json", "\"en\": \"Asked\"", "\"de\": \"x\"", "$.states[0].title",
     "English text is missing"},
    {"pathway.json", "\"zh\": \"已申请\"", "\"de\": \"x\"", "$.states[0].title",
     "Chinese text is missing"},
    {"pathway.json", "%answers.urgency.code", "%answers.urgency.code +", "$.start.priority", ""},
    {"pathway.json", "%answers.urgency.code", "%answers.haste.code", "$.start.priority",
     "%answers.haste"},
    {"pathway.json", "%params.answer", "%params.nothing", "$.start.effects[1].after",
     "%params.nothing"},
    {"pathway.json", "\"action\": \"remind\"", "\"action\": \"nothing\"", "$.start.effects[1]",
     "no clock action"},
    {"pathway.json", "\"reserve\": \"bed\"", "\"take\": \"bed\"", "$.actions[3].effects[0]",
     "unknown verb"},
    {"pathway.json", "\"slot\": \"%answers.slot\"", "\"slut\": \"%answers.slot\"", "effects[0]",
     "no such member"},
    {"pathway.json", "\"release\": \"bed\"", "\"release\": \"cot\"", "$.actions[5].effects[0]",
     "never held"},
    {"pathway.json", "%held.bed.resolve().start", "%held.cot.resolve().start", "", "%held.cot"},
    {"pathway.json", "\"template\": \"request\"", "\"template\": \"none\"",
     "$.start.effects[0].template", "template file is missing"},
    {"pathway.json", "\"form\": \"hold\"", "\"form\": \"none\"", "$.actions[3].form",
     "form's file is missing"},
    {"pathway.json", "\"from\": [\n        \"held\"\n      ]",
     "\"from\": [\n        \"lost\"\n      ]", "$.actions[4].from[0]", "unknown state"},
    {"pathway.json", "\"file\": \"sheet\"", "\"file\": \"none\"", "$.prints[0]",
     "page's file is missing"},
    {"pathway.json", "business-status=asked", "busyness=asked", "$.lists[0]", "query is wrong"},
    {"pathway.json", "\"color\": \"#1677ff\"", "\"colour\": \"#1677ff\"", "$.colour",
     "unknown member"},
    {"pathway.json", "\"name\": \"bed-request\"", "\"name\": \"bed\"", "$", "folder's name"},
    {"pathway.json", "\"rule\": \"daytime\"", "\"rule\": \"\"", "$.actions[4].guards[0]",
     "needs its rule"},
    {"forms/start.json", "\"linkId\": \"days\"", "\"linkId\": \"reason\"", "$.item[3]",
     "used twice"},
    {"forms/start.json", "\"question\": \"escort\"", "\"question\": \"guide\"", "$.item[2].item[2]",
     "unknown linkId"},
    {"forms/start.json", "\"type\": \"integer\"", "\"type\": \"number\"", "$.item[3]",
     "unknown item type"},
    {"forms/start.json", "\"urn:menkou:record\"", "\"urn:menkou:other\"", "$.item[6].item[1]",
     "no template"},
    {"forms/start.json", "\"valueString\": \"Ward\"", "\"valueString\": \"\"", "$.item[0]", ""},
    {"forms/hold.json", "Slot?status=free", "Slit?status=free", "$.item[0]",
     "unknown resource type"},
    {"params.json", "\"to\": \"2026-06-01\"", "\"to\": \"2026-07-01\"", "$[1]", "overlap"},
    {"templates/request.json", "%answers.days", "%answers.hours", "templates/request.json",
     "%answers.hours"},
    {"print/sheet.html", "{{/for}}", "", "print/sheet.html", "end is missing"},
    {"print/sheet.html", "%said.start.reason", "%said.start.cause", "print/sheet.html",
     "%said.start.cause"},
    {"print/sheet.html", "| Bed slip", "", "print/sheet.html", "both languages"},
    {"print/sheet.html", "<ul>", "{{part: head}}<ul>", "print/sheet.html", "no such part"},
    {"print/sheet.html", "<ul>", "{{part: sheet}}<ul>", "print/sheet.html", "no other part"},
};

static bool text_replace(TestPackages *p, FlowPackageSource *source, const LintCase *c)
{
    Str text = test_file(source, c->file);
    ptrdiff_t at = str_find(text, str_from_c(c->old));
    if (at < 0) {
        return false;
    }
    test_file_set(p, source, c->file,
                  arena_cat(&p->arena, str_take(text, (size_t)at), str_from_c(c->with),
                            str_skip(text, (size_t)at + strlen(c->old))));
    return true;
}

static bool issue_found(const Err *err, const LintCase *c)
{
    for (const Issue *i = err->first; i; i = i->next) {
        if (str_find(i->where, str_from_c(c->where)) >= 0 &&
            str_find(i->en, str_from_c(c->says)) >= 0 && i->zh.n) {
            return true;
        }
    }
    return false;
}

static void each_rule_finds_its_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        TestPackages p;
        Err err;
        test_packages_init(&p);
        test_packages_read(&p, FIXTURES_DIR);
        FlowPackageSource *source = test_package(&p, "bed-request");
        err_init(&err, &p.arena);
        if (!text_replace(&p, source, &CASES[i])) {
            fail_msg("case %zu: '%s' is not in %s", i, CASES[i].old, CASES[i].file);
        }
        Status s = flow_lint(source, &err);
        if (s == OK || !issue_found(&err, &CASES[i])) {
            fail_msg("case %zu: %s %s not found in:\n%.*s", i, CASES[i].where, CASES[i].says,
                     STR_ARG(test_issues(&p.arena, &err)));
        }
        test_packages_done(&p);
    }
}

/* ---- Hostile packages ------------------------------------------------------------------------ */

static Str mutated(Arena *a, Random *r, Str text)
{
    char *copy = arena_cstr(a, text);
    size_t n = text.n;
    for (uint64_t k = 1 + random_below(r, 4); k > 0 && n > 4; k--) {
        static const char BYTES[] = "{}[]\",:=%`'\\0x\xff";
        size_t at = (size_t)random_below(r, n);
        switch (random_below(r, 3)) {
        case 0:
            copy[at] = BYTES[random_below(r, sizeof BYTES - 1)];
            break;
        case 1: {
            size_t cut = (size_t)random_below(r, 40);
            cut = cut > n - at ? n - at : cut;
            memmove(copy + at, copy + at + cut, n - at - cut);
            n -= cut;
            break;
        }
        default: {
            size_t from = (size_t)random_below(r, n), len = (size_t)random_below(r, 30);
            len = len > n - from ? n - from : len;
            len = len > n - at ? n - at : len;
            memmove(copy + at, copy + from, len);
        }
        }
    }
    return (Str){copy, n};
}

static void mutated_packages_never_crash(void **state)
{
    (void)state;
    Random r;
    int refused = 0;
    random_init_seed(&r, 11);
    for (int i = 0; i < 1500; i++) {
        TestPackages p;
        Err err;
        test_packages_init(&p);
        test_packages_read(&p, FIXTURES_DIR);
        FlowPackageSource *source = test_package(&p, "bed-request");
        size_t file = (size_t)random_below(&r, source->files_n);
        err_init(&err, &p.arena);
        ((Str *)source->contents)[file] = mutated(&p.arena, &r, source->contents[file]);
        refused += flow_lint(source, &err) != OK ? 1 : 0;
        test_packages_done(&p);
    }
    printf("1500 mutated packages, %d refused\n", refused);
    assert_true(refused > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(county_packages_are_clean),
                                       cmocka_unit_test(each_rule_finds_its_fault),
                                       cmocka_unit_test(mutated_packages_never_crash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

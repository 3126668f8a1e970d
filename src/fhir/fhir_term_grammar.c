/* Code systems that are rules instead of lists: units, languages, media types, currencies. */
#include "fhir_term_inner.h"
#include "fhir_unit.h"

static bool ucum(Arena *a, Str code, Str *ret_display)
{
    return fhir_unit_display(a, code, ret_display);
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* BCP 47: 2 to 8 letters, then subtags of 1 to 8 letters and digits. */
static bool language(Arena *a, Str code, Str *ret_display)
{
    (void)a;
    Str part, rest = code;
    bool first = true, more = true;
    while (more) {
        more = str_cut(rest, '-', &part, &rest);
        if (part.n < (first ? 2u : 1u) || part.n > 8) {
            return false;
        }
        for (size_t i = 0; i < part.n; i++) {
            if (!is_alnum(part.p[i]) || (first && part.p[i] <= '9')) {
                return false;
            }
        }
        first = false;
    }
    *ret_display = code;
    return true;
}

static bool media_part(Str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && !strchr("!#$&-^_.+*", s.p[i])) {
            return false;
        }
    }
    return s.n > 0 && s.n <= 127;
}

static bool media(Arena *a, Str code, Str *ret_display)
{
    (void)a;
    Str type, subtype, parameters;
    if (!str_cut(code, '/', &type, &subtype)) {
        return false;
    }
    str_cut(subtype, ';', &subtype, &parameters);
    *ret_display = code;
    return media_part(type) && media_part(str_trim(subtype));
}

/* ISO 4217, in order: those in use, and those that were when R4 was published. */
static const char CURRENCIES[] =
    "AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBHDBIFBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDF"
    "CHECHFCHWCLFCLPCNYCOPCOUCRCCUCCUPCVECZKDJFDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGGPGHSGIP"
    "GMDGNFGTQGYDHKDHNLHRKHTGHUFIDRILSIMPINRIQDIRRISKJEPJMDJODJPYKESKGSKHRKMFKPWKRWKWDKYD"
    "KZTLAKLBPLKRLRDLSLLYDMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZD"
    "OMRPABPENPGKPHPPKRPLNPYGQARRONRSDRUBRWFSARSBDSCRSDGSEKSGDSHPSLESLLSOSSRDSSPSTNSVCSYP"
    "SZLTHBTJSTMTTNDTOPTRYTTDTVDTWDTZSUAHUGXUSDUSNUYIUYUUYWUZSVEDVEFVESVNDVUVWSTXAFXAGXAU"
    "XBAXBBXBCXBDXCDXCGXDRXOFXPDXPFXPTXSUXTSXUAXXXYERZARZMWZWGZWL";

static bool currency(Arena *a, Str code, Str *ret_display)
{
    (void)a;
    size_t lo = 0, hi = (sizeof CURRENCIES - 1) / 3;
    int order = code.n == 3 ? 1 : 0;
    while (order != 0 && lo < hi) {
        size_t mid = (lo + hi) / 2;
        order = memcmp(code.p, CURRENCIES + mid * 3, 3);
        lo = order > 0 ? mid + 1 : lo;
        hi = order < 0 ? mid : hi;
    }
    *ret_display = code;
    return code.n == 3 && order == 0;
}

const TermSystem *term_grammar(Str url)
{
    static const TermSystem SYSTEMS[] = {
        {.url = {"http://unitsofmeasure.org", 25},
         .name = {"UCUM", 4},
         .version = {"2.2", 3},
         .language = {"en", 2},
         .content = TERM_CONTENT_COMPLETE,
         .case_sensitive = true,
         .grammar = ucum},
        {.url = {"urn:ietf:bcp:47", 15},
         .name = {"BCP47", 5},
         .content = TERM_CONTENT_COMPLETE,
         .grammar = language},
        {.url = {"urn:ietf:bcp:13", 15},
         .name = {"BCP13", 5},
         .content = TERM_CONTENT_COMPLETE,
         .grammar = media},
        {.url = {"urn:iso:std:iso:4217", 20},
         .name = {"ISO4217", 7},
         .content = TERM_CONTENT_COMPLETE,
         .case_sensitive = true,
         .grammar = currency},
    };
    for (size_t i = 0; i < sizeof SYSTEMS / sizeof *SYSTEMS; i++) {
        if (str_eq(url, SYSTEMS[i].url)) {
            return &SYSTEMS[i];
        }
    }
    return NULL;
}

/* A small county in a store in memory: consortium, county hospital, two townships, one village
 * each. */
#ifndef ACCESS_TEST_H
#define ACCESS_TEST_H

#include <ftw.h>
#include <unistd.h>

#include "access.h"

#include "test.h"

#define NOW ((int64_t)1795305600000)

typedef struct Fixture {
    Clock clock;
    Random random;
    Store *store;
    StoreReader *reader;
    Access *access;
    Arena arena;
    Err err;
    char dir[64]; /* empty: in memory */
} Fixture;

static inline void put(Fixture *f, const char *type, const char *id, const char *body)
{
    StoreAuthor author = {.author = STR("system"), .role = STR("system")};
    StoreBatch *b = store_batch_new(f->store, &f->arena, &author, STR("test"));
    StoreReceipt receipt;
    assert_int_equal(store_batch_update(b, str_from_c(type), str_from_c(id), str_from_c(body),
                                        STR_NONE, &f->err),
                     OK);
    assert_int_equal(store_commit(b, &receipt, &f->err), OK);
}

static inline void put_organization(Fixture *f, const char *id, const char *parent)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"resourceType\":\"Organization\",\"id\":\"%s\",\"active\":true,\"name\":\"机构 "
             "%s\"%s%s%s}",
             id, id, parent ? ",\"partOf\":{\"reference\":\"Organization/" : "",
             parent ? parent : "", parent ? "\"}" : "");
    put(f, "Organization", id, body);
}

static inline void put_post(Fixture *f, const char *id, const char *person, const char *role,
                            const char *org, const char *more)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"resourceType\":\"PractitionerRole\",\"id\":\"%s\",\"active\":true%s,"
             "\"practitioner\":{\"reference\":\"Practitioner/"
             "%s\"},\"organization\":{\"reference\":\"Organization/%s\"},"
             "\"code\":[{\"coding\":[{\"system\":\"urn:menkou:role\",\"code\":\"%s\"}]}]}",
             id, more, person, org, role);
    put(f, "PractitionerRole", id, body);
}

static inline void put_person(Fixture *f, const char *id)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"resourceType\":\"Practitioner\",\"id\":\"%s\",\"name\":[{\"text\":\"%s\"}]}", id,
             id);
    put(f, "Practitioner", id, body);
}

static inline void open_store(Fixture *f)
{
    StoreOptions options = {.dir = f->dir[0] ? f->dir : NULL,
                            .clock = &f->clock,
                            .random = &f->random,
                            .zone_min = ZONE_CHINA_MIN};
    assert_int_equal(store_open(&options, &f->store, &f->err), OK);
    assert_int_equal(store_reader_open(f->store, &f->reader, &f->err), OK);
    assert_int_equal(access_open(f->store, f->dir[0] ? f->dir : NULL, &f->access, &f->err), OK);
}

static inline void close_store(Fixture *f)
{
    access_close(f->access);
    store_reader_close(f->reader);
    store_close(f->store);
}

static inline Fixture *fixture_new(bool on_disk)
{
    Fixture *f = calloc(1, sizeof *f);
    clock_init_fixed(&f->clock, NOW);
    random_init_seed(&f->random, 11);
    arena_init(&f->arena, 0);
    err_init(&f->err, &f->arena);
    if (on_disk) {
        test_folder(f->dir);
    }
    open_store(f);
    return f;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void fixture_free(Fixture *f)
{
    close_store(f);
    arena_done(&f->arena);
    if (f->dir[0]) {
        nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    free(f);
}

#endif

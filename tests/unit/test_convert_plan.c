/* Which tensors are written, and what they are called. */
#define _GNU_SOURCE

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plans.h"
#include "scratch.h"

/* The names of a plan in their order, with what was dropped. */
static const char *text_of(const sft_plan *plan) {
    static char text[2048];
    size_t used = 0;
    text[0] = '\0';
    for (uint64_t i = 0; i < plan->count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i > 0 ? " " : "",
                                 (int)plan->tensors[i].name_length, plan->tensors[i].name);
    }
    for (uint64_t i = 0; i < plan->tie_count; i++) {
        const sft_tie *tie = &plan->ties[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "; %.*s=%.*s",
                                 (int)tie->dropped_length, tie->dropped, (int)tie->kept_length,
                                 tie->kept);
    }
    return text;
}

static void expect_names(const found_by_hand *f, const char *key, const char *prefix,
                         const char *names) {
    sft_plan plan;
    sft_error error;
    expect_status(plan_made(&plan, f, key, prefix, &error), SFT_OK, &error);
    assert_string_equal(text_of(&plan), names);
    sft_plan_free(&plan);
}

static sft_error expect_refused(const found_by_hand *f, const char *key, const char *prefix,
                                sft_status wanted) {
    sft_plan plan;
    sft_error error;
    expect_status(plan_made(&plan, f, key, prefix, &error), wanted, &error);
    sft_plan_free(&plan);
    return error;
}

static void a_lone_wrapper_is_unwrapped(void **state) {
    (void)state;
    static const char *const wrappers[] = {"state_dict", "model",      "module", "model_state_dict",
                                           "params",     "params_ema", "net",    "generator"};
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++) {
        char a[40];
        char b[40];
        found_by_hand f;
        found_begin(&f, true);
        snprintf(a, sizeof a, "%s:model.a", wrappers[i]);
        snprintf(b, sizeof b, "%s:b", wrappers[i]);
        found_tensor(&f, a, 3);
        found_tensor(&f, b, 3);
        found_leaf(&f, "epoch", "int");
        sft_plan plan;
        sft_error error;
        expect_status(plan_made(&plan, &f, NULL, NULL, &error), SFT_OK, &error);
        assert_string_equal(text_of(&plan), "model.a b"); /* one level only */
        assert_string_equal(plan.wrapper, wrappers[i]);
        assert_int_equal(plan.dropped_total, 1);
        assert_string_equal(plan.dropped[0].kind, "int");
        assert_int_equal(plan.bytes, 6);
        sft_plan_free(&plan);
    }
}

static void other_keys_stay(void **state) {
    (void)state;
    found_by_hand f;
    found_begin(&f, true);
    found_tensor(&f, "state_dict:a", 3);
    expect_names(&f, NULL, NULL, "a");
    found_tensor(&f, "ema:a", 3);
    expect_names(&f, NULL, NULL, "state_dict.a ema.a");
    found_begin(&f, true);
    found_tensor(&f, "weights:a", 3);
    expect_names(&f, NULL, NULL, "weights.a");
    /* A key with a dot in it is no wrapper, and neither is a tensor of that name. */
    found_begin(&f, true);
    found_tensor(&f, "model.a", 3);
    expect_names(&f, NULL, NULL, "model.a");
    found_begin(&f, true);
    found_tensor(&f, "model", 3);
    expect_names(&f, NULL, NULL, "model");
    found_begin(&f, true);
    expect_names(&f, NULL, NULL, "");
}

static void a_key_chooses_a_part(void **state) {
    (void)state;
    found_by_hand f;
    found_begin(&f, true);
    found_tensor(&f, "model:a.w", 3);
    found_tensor(&f, "model:b", 3);
    found_tensor(&f, "models:c", 3);
    found_tensor(&f, "optimizer:state.0.m", 3)->refused = SFT_UNSUPPORTED_TENSOR;
    expect_names(&f, "model", NULL, "a.w b");
    expect_names(&f, "model.a", NULL, "w");
    expect_names(&f, "model.b", NULL, "b");
    expect_names(&f, "models", NULL, "c");
    expect_refused(&f, "mod", NULL, SFT_NOT_FOUND);
    expect_refused(&f, "model.", NULL, SFT_NOT_FOUND);
    /* What cannot be converted matters where it is asked for. */
    expect_refused(&f, "optimizer", NULL, SFT_UNSUPPORTED_TENSOR);
    sft_error error = expect_refused(&f, NULL, NULL, SFT_UNSUPPORTED_TENSOR);
    assert_string_equal(error.tensor, "optimizer.state.0.m");
    /* Tensors outside of the key are told among what is dropped. */
    sft_plan plan;
    expect_status(plan_made(&plan, &f, "models", NULL, &error), SFT_OK, &error);
    assert_int_equal(plan.dropped_total, 3);
    assert_string_equal(plan.dropped[0].kind, "tensor");
    sft_plan_free(&plan);
}

static void prefixes_go(void **state) {
    (void)state;
    found_by_hand f;
    found_begin(&f, true);
    found_tensor(&f, "module.a", 3);
    found_tensor(&f, "modules.b", 3);
    found_tensor(&f, "c", 3);
    found_tensor(&f, "module.", 3);
    expect_names(&f, NULL, "module.", "a modules.b c module.");
    expect_names(&f, NULL, "none.", "module.a modules.b c module.");
    found_begin(&f, true);
    found_tensor(&f, "module.a", 3);
    found_tensor(&f, "module", 3);
    expect_names(&f, NULL, "module", "a module");
    /* It goes after the wrapper. */
    found_begin(&f, true);
    found_tensor(&f, "state_dict:module.a", 3);
    expect_names(&f, NULL, "module.", "a");
    /* Names that it makes equal are refused, as others are. */
    found_begin(&f, true);
    found_tensor(&f, "module.a", 3);
    found_tensor(&f, "a", 3);
    expect_refused(&f, NULL, "module.", SFT_DUPLICATE_NAME);
}

static void names_that_cannot_be(void **state) {
    (void)state;
    found_by_hand f;
    found_begin(&f, true);
    uint64_t storage = found_storage(&f, 3);
    found_view(&f, "a.b", storage, 0, 3);
    found_view(&f, "a:b", storage, 0, 3);
    /* Also where they are one and the same tensor. */
    expect_refused(&f, NULL, NULL, SFT_DUPLICATE_NAME);
    found_begin(&f, true);
    found_tensor(&f, "__metadata__", 3);
    expect_refused(&f, NULL, NULL, SFT_RESERVED_NAME);
    found_begin(&f, true);
    found_tensor(&f, "model:__metadata__", 3);
    expect_refused(&f, NULL, NULL, SFT_RESERVED_NAME);
    found_begin(&f, true);
    found_tensor(&f, "a\xed\xa0\x80", 3);
    expect_refused(&f, NULL, NULL, SFT_INVALID_NAME);
    found_begin(&f, true);
    f.shapes[0] = 0;
    found_tensor(&f, "huge", UINT64_MAX);
    found_tensor(&f, "one", 1);
    expect_refused(&f, NULL, NULL, SFT_SIZE_OVERFLOW);
}

static void a_tensor_alone_is_called_as_its_file(void **state) {
    (void)state;
    found_by_hand f;
    found_begin(&f, true);
    found_tensor(&f, "", 3);
    f.found.root_is_tensor = true;
    expect_names(&f, NULL, NULL, "lone");
    /* In a dict, the empty key is a name as any other. */
    f.found.root_is_tensor = false;
    expect_names(&f, NULL, NULL, "");
}

static void equal_views_are_tied(void **state) {
    (void)state;
    static const uint64_t other_stride[] = {2};
    found_by_hand f;
    found_begin(&f, true);
    uint64_t storage = found_storage(&f, 12);
    found_view(&f, "z", storage, 0, 6);
    found_view(&f, "b", storage, 0, 6);
    found_view(&f, "offset", storage, 1, 6);
    found_view(&f, "shape", storage, 0, 5);
    found_view(&f, "strides", storage, 0, 6)->strides = other_stride;
    found_view(&f, "dtype", storage, 0, 6)->dtype = SFT_I8;
    found_view(&f, "negative", storage, 0, 6)->negative = true;
    found_view(&f, "m", storage, 0, 6);
    found_view(&f, "storage", found_storage(&f, 12), 0, 6);
    expect_names(&f, NULL, NULL, "b offset shape strides dtype negative storage; m=b; z=b");
    sft_plan plan;
    sft_error error;
    expect_status(plan_made(&plan, &f, NULL, NULL, &error), SFT_OK, &error);
    assert_int_equal(plan.bytes, 41);
    assert_int_equal(plan.metadata_count, 3);
    assert_string_equal(plan.metadata[0].key, "format");
    assert_string_equal(plan.metadata[0].value, "pt");
    assert_memory_equal(plan.metadata[2].key, "z", 1);
    assert_memory_equal(plan.metadata[2].value, "b", 1);
    sft_plan_free(&plan);
}

static void ties_and_metadata(void **state) {
    (void)state;
    found_by_hand f;
    found_begin(&f, false);
    uint64_t storage = found_storage(&f, 12);
    found_view(&f, "format", storage, 0, 6);
    found_view(&f, "a", storage, 0, 6);
    found_view(&f, "e1", storage, 0, 0);
    found_view(&f, "e2", storage, 0, 0);
    sft_plan plan;
    sft_error error;
    expect_status(plan_made(&plan, &f, NULL, NULL, &error), SFT_OK, &error);
    assert_string_equal(text_of(&plan), "a e1 e2; format=a"); /* no bytes, no tie */
    assert_int_equal(plan.metadata_count, 1);                 /* of NumPy: no format */
    assert_memory_equal(plan.metadata[0].value, "a", 1);
    sft_plan_free(&plan);
    /* The format stays what it is, whatever a tensor is called. */
    f.found.torch = true;
    expect_status(plan_made(&plan, &f, NULL, NULL, &error), SFT_OK, &error);
    assert_int_equal(plan.metadata_count, 1);
    assert_memory_equal(plan.metadata[0].value, "pt", 2);
    assert_int_equal(plan.tie_count, 1);
    sft_plan_free(&plan);
}

/* Views that overlap are bounded by what is stored; ties are not written, and do not count. */
static void overlaps_are_bounded(void **state) {
    (void)state;
    static const uint64_t mib = UINT64_C(1) << 20;
    for (int packed = 0; packed < 2; packed++) {
        found_by_hand f;
        found_begin(&f, true);
        f.found.file_size = packed ? 1000 : 9 * mib;
        uint64_t storage = found_storage(&f, 8 * mib + 32);
        f.storages[storage].region.fd = packed ? -1 : 3;
        for (uint64_t i = 0; i < 24; i++) {
            char name[8];
            snprintf(name, sizeof name, "v%" PRIu64, i);
            found_view(&f, name, storage, i, 8 * mib);
            snprintf(name, sizeof name, "w%" PRIu64, i % 8);
            if (i < 8) {
                found_view(&f, name, storage, i, 8 * mib);
            }
        }
        sft_plan plan;
        sft_error error;
        expect_status(plan_made(&plan, &f, NULL, NULL, &error), SFT_OK, &error);
        assert_int_equal(plan.tie_count, 8);
        assert_int_equal(plan.bytes, 24 * 8 * mib); /* 16 times 8 MiB and 64 MiB are the most */
        sft_plan_free(&plan);
        found_view(&f, "one", storage, 30, mib);
        error = expect_refused(&f, NULL, NULL, SFT_SOURCE_LIMIT);
        assert_non_null(strstr(error.message, "overlap"));
        /* Many that claim the same bytes of a file do not make them more. */
        for (int i = 0; i < 4 && !packed; i++) {
            found_storage(&f, 8 * mib + 32);
        }
        f.found.file_size = packed ? 1000 : 8 * mib + 32;
        expect_refused(&f, NULL, NULL, SFT_SOURCE_LIMIT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_wrapper_is_unwrapped),
        cmocka_unit_test(other_keys_stay),
        cmocka_unit_test(a_key_chooses_a_part),
        cmocka_unit_test(prefixes_go),
        cmocka_unit_test(names_that_cannot_be),
        cmocka_unit_test(a_tensor_alone_is_called_as_its_file),
        cmocka_unit_test(equal_views_are_tied),
        cmocka_unit_test(ties_and_metadata),
        cmocka_unit_test(overlaps_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

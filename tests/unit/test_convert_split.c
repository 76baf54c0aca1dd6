/* Splitting by size: what huggingface_hub 1.x says of the same tensors. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "checkpoint/split.h"
#include "plans.h"
#include "scratch.h"

typedef struct split_case {
    uint64_t sizes[6]; /* of a, b, c…; the rest is absent */
    uint64_t count;
    uint64_t most;
    const char *shared[2]; /* "ac": c is a view of the storage of a */
    const char *wanted;    /* the files, in the order of the index */
} split_case;

/* From split_torch_state_dict_into_shards() with tensors of uint8. */
static const split_case cases[] = {
    {{6, 6, 2, 6, 2, 2}, 6, 10, {NULL}, "a|bc|def"},
    {{6, 6}, 2, 12, {NULL}, "ab"},
    {{20, 1, 1}, 3, 10, {NULL}, "a|bc"},
    {{3, 20, 3, 20, 3}, 5, 10, {NULL}, "b|d|ace"},
    {{5, 5, 5, 5}, 4, 10, {NULL}, "ab|cd"},
    {{1, 1, 1}, 3, 1, {NULL}, "a|b|c"},
    {{0, 8, 8, 0, 8}, 5, 10, {NULL}, "abd|c|e"},
    {{4, 9, 4, 9, 4}, 5, 10, {"ac"}, "ac|b|d|e"},
    {{4, 9, 4, 9, 4}, 5, 8, {"be", "ac"}, "be|d|ac"},
    {{9, 4, 9, 4}, 4, 10, {"ad"}, "ad|b|c"},
};

/* The storage that tensor number `number` is a view of, if it is another's. */
static bool find_shared(const split_case *c, uint64_t number, uint64_t *storage) {
    for (int i = 0; i < 2; i++) {
        if (c->shared[i] != NULL && (uint64_t)(c->shared[i][1] - 'a') == number) {
            *storage = (uint64_t)(c->shared[i][0] - 'a');
            return true;
        }
    }
    return false;
}

static const char *files_of(const sft_plan *plan, const sft_split *split) {
    static char text[64];
    size_t used = 0;
    assert_int_equal(split->count, plan->count);
    for (uint64_t i = 0; i < split->count; i++) {
        const sft_plan_tensor *planned = &plan->tensors[split->order[i]];
        if (i > 0 && planned->file != plan->tensors[split->order[i - 1]].file) {
            assert_int_equal(planned->file, plan->tensors[split->order[i - 1]].file + 1);
            text[used++] = '|';
        }
        text[used++] = planned->name[0];
        assert_true(planned->file < split->files);
    }
    text[used] = '\0';
    return text;
}

static void as_the_hub_splits(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const split_case *c = &cases[i];
        found_by_hand f;
        found_begin(&f, true);
        for (uint64_t t = 0; t < c->count; t++) {
            char name[2] = {(char)('a' + t), '\0'};
            uint64_t storage;
            if (find_shared(c, t, &storage)) {
                found_storage(&f, 0); /* so that storage and tensor have one number */
                /* A view of another offset would be the same to the hub. */
                found_view(&f, name, storage, c->sizes[t] == c->sizes[storage] ? 1 : 0,
                           c->sizes[t] - (c->sizes[t] == c->sizes[storage]));
            } else {
                found_tensor(&f, name, c->sizes[t]);
            }
        }
        sft_plan plan;
        sft_split split;
        sft_error error;
        expect_status(plan_made(&plan, &f, NULL, NULL, &error), SFT_OK, &error);
        expect_status(sft_split_by_size(&plan, c->most, &split, &error), SFT_OK, &error);
        assert_string_equal(files_of(&plan, &split), c->wanted);
        sft_split_free(&split);
        sft_plan_free(&plan);
    }
}

static void what_is_not_dense_has_a_storage_of_its_own(void **state) {
    (void)state;
    found_by_hand f;
    found_begin(&f, true);
    uint64_t storage = found_storage(&f, 20);
    found_view(&f, "a", storage, 0, 8);
    found_view(&f, "b", storage, 1, 8)->dense = false;
    found_view(&f, "c", storage, 2, 8)->dense = false;
    found_view(&f, "d", storage, 3, 8);
    sft_plan plan;
    sft_split split;
    sft_error error;
    expect_status(plan_made(&plan, &f, NULL, NULL, &error), SFT_OK, &error);
    expect_status(sft_split_by_size(&plan, 10, &split, &error), SFT_OK, &error);
    assert_string_equal(files_of(&plan, &split), "ad|b|c");
    sft_split_free(&split);
    sft_plan_free(&plan);
}

static void no_tensors_are_one_file(void **state) {
    (void)state;
    found_by_hand f;
    found_begin(&f, true);
    sft_plan plan;
    sft_split split;
    sft_error error;
    expect_status(plan_made(&plan, &f, NULL, NULL, &error), SFT_OK, &error);
    expect_status(sft_split_by_size(&plan, 10, &split, &error), SFT_OK, &error);
    assert_int_equal(split.files, 1);
    sft_split_free(&split);
    sft_plan_free(&plan);
}

static void by_source_each_gets_its_file(void **state) {
    (void)state;
    found_by_hand f[3];
    const sft_found *founds[3];
    for (int i = 0; i < 3; i++) {
        founds[i] = &f[i].found;
        found_begin(&f[i], true);
    }
    found_tensor(&f[0], "b", 3);
    found_tensor(&f[2], "a", 3);
    found_tensor(&f[2], "c", 3);
    const sft_plan_options options = {.allocator = sft_allocator_of(NULL), .lone_name = "x"};
    sft_plan plan;
    sft_split split;
    sft_error error;
    expect_status(sft_plan_make(&plan, founds, 3, &options, &error), SFT_OK, &error);
    expect_status(sft_split_by_source(&plan, 3, &split, &error), SFT_OK, &error);
    assert_int_equal(split.files, 3);
    assert_int_equal(plan.tensors[split.order[0]].file, 0);
    assert_int_equal(plan.tensors[split.order[1]].file, 2);
    assert_int_equal(plan.tensors[split.order[2]].file, 2);
    assert_memory_equal(plan.tensors[split.order[2]].name, "c", 1);
    sft_split_free(&split);
    sft_plan_free(&plan);
    /* One name in two sources is refused, and the second is blamed. */
    found_tensor(&f[1], "b", 3);
    expect_status(sft_plan_make(&plan, founds, 3, &options, &error), SFT_DUPLICATE_NAME, &error);
    assert_int_equal(plan.blamed, 1);
    sft_plan_free(&plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_hub_splits),
        cmocka_unit_test(what_is_not_dense_has_a_storage_of_its_own),
        cmocka_unit_test(no_tensors_are_one_file),
        cmocka_unit_test(by_source_each_gets_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

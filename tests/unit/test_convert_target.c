/* What the files of a result are called, and where they go. */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "checkpoint/target.h"
#include "scratch.h"

/* "first last index folder", relative to the scratch folder; "-" for what there is not. */
static const char *names_of(const sft_target *target) {
    static char text[4096];
    const char *names[] = {target->files[0], target->files[target->count - 1], target->index,
                           target->folder};
    size_t skipped = strlen(scratch_folder) + 1;
    size_t used = 0;
    for (int i = 0; i < 4; i++) {
        bool inside = names[i] != NULL && strncmp(names[i], scratch_folder, skipped - 1) == 0;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                                 names[i] == NULL ? "-" : names[i] + (inside ? skipped : 0));
    }
    return text;
}

static void expect(sft_target_request request, const char *wanted) {
    sft_arena arena;
    sft_target target;
    sft_error error;
    const sft_allocator allocator = sft_allocator_of(NULL);
    sft_arena_init(&arena, &allocator);
    expect_status(sft_target_find(&request, &arena, &target, &error), SFT_OK, &error);
    assert_string_equal(names_of(&target), wanted);
    sft_arena_free(&arena);
}

static void one_file(const char *source, const char *target, const char *wanted) {
    expect((sft_target_request){.source = source, .target = target, .files = 1}, wanted);
}

static void beside_the_source(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"a.pt", "a.safetensors"},
        {"d/e.f/a.PTH", "d/e.f/a.safetensors"},
        {"d/a.b.ckpt", "d/a.b.safetensors"},
        {"pytorch_model.bin", "model.safetensors"},
        {"d/pytorch_model.fp16.bin", "d/model.fp16.safetensors"},
        {"pytorch_model-00001-of-00002.bin", "model-00001-of-00002.safetensors"},
        {"diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"},
        {"model.pth.tar", "model.safetensors"},
        {"a.npz", "a.safetensors"},
        {"a.npy", "a.safetensors"},
        {"a.pdparams", "a.safetensors"},
        {"a.joblib.gz", "a.safetensors"},
        {"weights", "weights.safetensors"},
        {"d.pt/weights", "d.pt/weights.safetensors"},
        {"a.unknown", "a.unknown.safetensors"},
        {"a.safetensors", "a.safetensors.safetensors"},
        {".pt", ".pt.safetensors"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char wanted[256];
        snprintf(wanted, sizeof wanted, "%s %s - -", pairs[i][1], pairs[i][1]);
        one_file(pairs[i][0], NULL, wanted);
    }
}

static void where_the_caller_says(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch("folder"), 0755), 0);
    one_file("d/a.pt", "x/y.bin", "x/y.bin x/y.bin - -");
    one_file("d/a.pt", "x.safetensors", "x.safetensors x.safetensors - -");
    one_file("d/a.pt", "x.SAFETENSORS", "x.SAFETENSORS x.SAFETENSORS - -");
    one_file("d/a.pt", scratch("folder"), "folder/a.safetensors folder/a.safetensors - -");
    one_file("d/a.pt", scratch("folder/"), "folder/a.safetensors folder/a.safetensors - -");
    one_file("d/a.pt", "new/", "new/a.safetensors new/a.safetensors - new/");
    one_file("pytorch_model.bin", scratch("folder"),
             "folder/model.safetensors folder/model.safetensors - -");
}

static void by_size(uint64_t files, const char *target, const char *wanted) {
    expect((sft_target_request){.source = "d/a.pt",
                                .target = target,
                                .by_size = true,
                                .indexed = files > 1,
                                .files = files},
           wanted);
}

static void split_by_size(void **state) {
    (void)state;
    by_size(1, NULL, "d/a.safetensors d/a.safetensors - -");
    by_size(3, NULL,
            "d/model-00001-of-00003.safetensors d/model-00003-of-00003.safetensors "
            "d/model.safetensors.index.json -");
    by_size(1, "new", "new/model.safetensors new/model.safetensors - new");
    by_size(2, "new",
            "new/model-00001-of-00002.safetensors new/model-00002-of-00002.safetensors "
            "new/model.safetensors.index.json new");
    by_size(2, scratch("folder"),
            "folder/model-00001-of-00002.safetensors folder/model-00002-of-00002.safetensors "
            "folder/model.safetensors.index.json -");
    /* A name for a file is the beginning of several, as a pattern of the hub's is. */
    by_size(1, "x/y.safetensors", "x/y.safetensors x/y.safetensors - -");
    by_size(100000, "x/y.safetensors",
            "x/y-00001-of-100000.safetensors x/y-100000-of-100000.safetensors "
            "x/y.safetensors.index.json -");
}

static void of_a_sharded_source(void **state) {
    (void)state;
    sft_target_request request = {.source = "d/", .sharded = true, .indexed = true, .files = 2};
    expect(request, "d/model-00001-of-00002.safetensors d/model-00002-of-00002.safetensors "
                    "d/model.safetensors.index.json -");
    request.source = "";
    request.files = 1;
    expect(request, "model-00001-of-00001.safetensors model-00001-of-00001.safetensors "
                    "model.safetensors.index.json -");
    request.target = "new";
    expect(request, "new/model-00001-of-00001.safetensors new/model-00001-of-00001.safetensors "
                    "new/model.safetensors.index.json new");
    request.by_size = true;
    request.indexed = false;
    expect(request, "new/model.safetensors new/model.safetensors - new");
}

static void what_stands_in_the_way(void **state) {
    (void)state;
    const sft_allocator allocator = sft_allocator_of(NULL);
    scratch_store("plain", "x", 1);
    sft_target_request request = {
        .source = "a.pt", .target = scratch("plain"), .by_size = true, .indexed = true, .files = 2};
    sft_arena arena;
    sft_target target;
    sft_error error;
    sft_arena_init(&arena, &allocator);
    expect_status(sft_target_find(&request, &arena, &target, &error), SFT_NOT_A_FILE, &error);
    assert_string_equal(error.file, scratch("plain"));
    request.target = scratch("");
    expect_status(sft_target_find(&request, &arena, &target, &error), SFT_OK, &error);
    expect_status(sft_target_check_free(&target, &error), SFT_OK, &error);
    scratch_store("model-00002-of-00002.safetensors", "x", 1);
    expect_status(sft_target_check_free(&target, &error), SFT_ALREADY_EXISTS, &error);
    assert_non_null(strstr(error.file, "model-00002-of-00002.safetensors"));
    assert_int_equal(remove(scratch("model-00002-of-00002.safetensors")), 0);
    scratch_store("model.safetensors.index.json", "x", 1);
    expect_status(sft_target_check_free(&target, &error), SFT_ALREADY_EXISTS, &error);
    sft_arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beside_the_source),      cmocka_unit_test(where_the_caller_says),
        cmocka_unit_test(split_by_size),          cmocka_unit_test(of_a_sharded_source),
        cmocka_unit_test(what_stands_in_the_way),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}

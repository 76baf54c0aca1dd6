/* Models of several files: what they hand out, and how their defects are told. */
#include "fixture.h"

#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own, with the files put into it. */
typedef struct folder {
    char path[64];
    char names[8][64];
    int count;
} folder;

static folder folder_make(void) {
    folder f = {"/tmp/sft-test-XXXXXX", {{0}}, 0};
    assert_non_null(mkdtemp(f.path));
    return f;
}

static const char *folder_path(const folder *f, const char *name) {
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    return path;
}

static void folder_put(folder *f, const char *name, const void *bytes, size_t size) {
    FILE *stream = fopen(folder_path(f, name), "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
    snprintf(f->names[f->count++], sizeof f->names[0], "%s", name);
}

static void folder_put_shard(folder *f, const char *name, const char *header, size_t data) {
    fixture_file file = fixture_make(header, data);
    folder_put(f, name, file.bytes, file.size);
    free(file.bytes);
}

static void folder_remove(folder *f) {
    while (f->count > 0) {
        unlink(folder_path(f, f->names[--f->count]));
    }
    assert_int_equal(rmdir(f->path), 0);
}

static const char first[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                            "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[2,5]}}";
static const char second[] = "{\"c\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}";
static const char good_index[] =
    "{\"metadata\":{\"total_size\":9},"
    "\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\",\"c\":\"2.safetensors\"}}";

static folder folder_of_two(const char *index) {
    folder f = folder_make();
    folder_put_shard(&f, "1.safetensors", first, 5);
    folder_put_shard(&f, "2.safetensors", second, 4);
    if (index != NULL) {
        folder_put(&f, "model.safetensors.index.json", index, strlen(index));
    }
    return f;
}

static void check_model(const sft_model *model, bool indexed) {
    assert_int_equal(sft_model_count(model), 3);
    assert_int_equal(sft_model_shards(model), 2);
    assert_int_equal(sft_model_index_path(model) != NULL, indexed);
    sft_model_tensor tensor;
    static const char names[] = "abc";
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(sft_model_at(model, i, &tensor));
        assert_memory_equal(tensor.tensor->name, &names[i], 1);
        assert_int_equal(tensor.shard, i == 2 ? 1 : 0);
        assert_ptr_equal(tensor.file, sft_model_shard(model, tensor.shard));
    }
    assert_false(sft_model_at(model, 3, &tensor));
    assert_true(sft_model_find(model, "c", 1, &tensor));
    uint8_t bytes[4];
    assert_ok(sft_read(tensor.file, tensor.tensor, bytes, 4, NULL));
    assert_memory_equal(bytes, "\0\1\2\3", 4);
    assert_false(sft_model_find(model, "d", 1, &tensor));
    assert_null(sft_model_shard(model, 2));
    assert_null(sft_model_shard_path(model, 2));
    assert_non_null(strstr(sft_model_shard_path(model, 1), "/2.safetensors"));
}

static void test_every_way_to_open(void **state) {
    (void)state;
    folder f = folder_of_two(good_index);
    sft_model *model;
    assert_ok(sft_model_open(f.path, NULL, &model, NULL));
    check_model(model, true);
    sft_model_close(model);
    assert_ok(sft_model_open(folder_path(&f, "model.safetensors.index.json"), NULL, &model, NULL));
    check_model(model, true);
    sft_model_close(model);

    char one[160];
    char two[160];
    snprintf(one, sizeof one, "%s/1.safetensors", f.path);
    snprintf(two, sizeof two, "%s/2.safetensors", f.path);
    const char *const paths[] = {one, two};
    assert_ok(sft_model_open_files(paths, 2, NULL, &model, NULL));
    check_model(model, false);
    sft_model_close(model);
    const char *const turned[] = {two, one};
    assert_ok(sft_model_open_files(turned, 2, NULL, &model, NULL));
    sft_model_tensor tensor;
    assert_true(sft_model_at(model, 0, &tensor));
    assert_memory_equal(tensor.tensor->name, "c", 1);
    sft_model_close(model);

    assert_ok(sft_model_open(one, NULL, &model, NULL));
    assert_int_equal(sft_model_count(model), 2);
    assert_true(sft_model_find(model, "b", 1, &tensor));
    assert_false(sft_model_find(model, "c", 1, &tensor));
    sft_model_close(model);
    unlink(folder_path(&f, f.names[--f.count]));
    assert_ok(sft_model_open(f.path, NULL, &model, NULL));
    check_model(model, false);
    sft_model_close(model);
    folder_remove(&f);
}

static void test_a_relative_path(void **state) {
    (void)state;
    folder f = folder_of_two(good_index);
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(f.path), 0);
    static const char *const paths[] = {".", "./", "model.safetensors.index.json"};
    for (size_t i = 0; i < 3; i++) {
        sft_model *model;
        assert_ok(sft_model_open(paths[i], NULL, &model, NULL));
        assert_int_equal(sft_model_count(model), 3);
        sft_model_close(model);
    }
    assert_int_equal(chdir(before), 0);
    folder_remove(&f);
}

/* ---- defects ---- */

typedef struct collected {
    sft_error errors[16];
    int count;
} collected;

static void collect(void *context, const sft_error *error) {
    collected *c = context;
    assert_true(c->count < 16);
    c->errors[c->count++] = *error;
}

static void test_all_defects_are_told(void **state) {
    (void)state;
    folder f = folder_make();
    folder_put_shard(&f, "1.safetensors", first, 5);
    folder_put_shard(&f, "2.safetensors", second, 3); /* a byte short */
    folder_put_shard(&f, "3.safetensors", first, 5);  /* a and b again */
    static const char index[] =
        "{\"metadata\":{\"total_size\":1},\"weight_map\":{\"a\":\"1.safetensors\","
        "\"c\":\"2.safetensors\",\"d\":\"3.safetensors\",\"e\":\"4.safetensors\"}}";
    folder_put(&f, "model.safetensors.index.json", index, sizeof index - 1);
    collected found = {.count = 0};
    sft_model_options options = SFT_MODEL_OPTIONS;
    options.on_defect = collect;
    options.on_defect_context = &found;
    sft_model *model;
    sft_error error;
    assert_status(sft_model_open(f.path, &options, &model, &error), SFT_TRUNCATED_DATA);
    assert_null(model);
    assert_int_equal(error.status, SFT_TRUNCATED_DATA);
    static const sft_status expected[] = {SFT_TRUNCATED_DATA,       SFT_MISSING_SHARD,
                                          SFT_TENSOR_IN_TWO_SHARDS, SFT_TENSOR_IN_TWO_SHARDS,
                                          SFT_TENSOR_NOT_IN_SHARD,  SFT_TENSOR_NOT_IN_INDEX,
                                          SFT_TENSOR_NOT_IN_INDEX};
    assert_int_equal(found.count, 7);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(found.errors[i].status, expected[i]);
        assert_string_not_equal(found.errors[i].file, "");
    }
    assert_status(sft_model_open(f.path, NULL, &model, &error), SFT_TRUNCATED_DATA);
    folder_remove(&f);
}

static void expect_index(const char *index, sft_status status) {
    folder f = folder_of_two(index);
    sft_model *model;
    sft_error error;
    assert_status(sft_model_open(f.path, NULL, &model, &error), status);
    if (status == SFT_OK) {
        sft_model_close(model);
    } else {
        assert_int_equal(error.status, status);
        assert_non_null(strstr(error.file, f.path));
    }
    folder_remove(&f);
}

#define MAP                                                                                        \
    "\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\",\"c\":\"2.safetensors\"}"

static void test_total_size(void **state) {
    (void)state;
    expect_index("{" MAP "}", SFT_OK);
    expect_index("{\"metadata\":null," MAP "}", SFT_OK);
    expect_index("{\"metadata\":null,\"metadata\":{}," MAP "}", SFT_DUPLICATE_KEY);
    expect_index("{\"metadata\":[]," MAP "}", SFT_INVALID_INDEX);
    expect_index("{\"metadata\":{}," MAP "}", SFT_OK);
    expect_index("{\"metadata\":{\"total_size\":9.0,\"x\":[1]}," MAP "}", SFT_OK);
    expect_index("{" MAP ",\"metadata\":{\"total_size\":9}}", SFT_OK);
    expect_index("{\"metadata\":{\"total_size\":8}," MAP "}", SFT_WRONG_TOTAL_SIZE);
    expect_index("{\"metadata\":{\"total_size\":\"9\"}," MAP "}", SFT_INVALID_INDEX);
    expect_index("{\"metadata\":{\"total_size\":-9}," MAP "}", SFT_INVALID_INDEX);
    expect_index("{\"metadata\":{\"total_size\":9.5}," MAP "}", SFT_INVALID_INDEX);
    expect_index("{\"metadata\":{\"total_size\":9e0}," MAP "}", SFT_INVALID_INDEX);
    expect_index("{\"metadata\":{\"total_size\":9.}," MAP "}", SFT_INVALID_JSON);
    expect_index("{\"metadata\":{\"total_size\":18446744073709551616}," MAP "}", SFT_INVALID_INDEX);

    folder f = folder_of_two("{\"metadata\":{\"total_size\":8}," MAP "}");
    sft_model_options options = SFT_MODEL_OPTIONS;
    options.ignore_total_size = true;
    sft_model *model;
    assert_ok(sft_model_open(f.path, &options, &model, NULL));
    sft_model_close(model);
    folder_remove(&f);
}

static void test_an_index_leads_nowhere_else(void **state) {
    (void)state;
    static const char *const names[] = {"",         ".",      "..",      "../1.safetensors",
                                        "/etc/x",   "a/b",    "a\\\\b",  "C:x.safetensors",
                                        "1\\u0000", "x/../1", "..\\\\x", "//1"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char index[128];
        snprintf(index, sizeof index, "{\"weight_map\":{\"a\":\"%s\"}}", names[i]);
        expect_index(index, SFT_UNSAFE_SHARD_NAME);
    }
}

static void test_which_index_is_taken(void **state) {
    (void)state;
    folder f = folder_of_two(good_index);
    sft_model *model;
    folder_put(&f, "other.safetensors.index.json", "{", 1);
    assert_ok(sft_model_open(f.path, NULL, &model, NULL));
    check_model(model, true);
    sft_model_close(model);
    unlink(folder_path(&f, "model.safetensors.index.json"));
    folder_put(&f, "third.safetensors.index.json", good_index, sizeof good_index - 1);
    assert_status(sft_model_open(f.path, NULL, &model, NULL), SFT_AMBIGUOUS_FOLDER);
    unlink(folder_path(&f, "other.safetensors.index.json"));
    folder_put(&f, "._third.safetensors.index.json", "{", 1); /* as other systems leave them */
    folder_put(&f, "._1.safetensors", "", 0);
    assert_ok(sft_model_open(f.path, NULL, &model, NULL));
    check_model(model, true);
    sft_model_close(model);
    unlink(folder_path(&f, "third.safetensors.index.json"));
    assert_ok(sft_model_open(f.path, NULL, &model, NULL));
    check_model(model, false);
    sft_model_close(model);
    folder_remove(&f);
}

static void test_what_is_no_model(void **state) {
    (void)state;
    folder f = folder_make();
    sft_model *model;
    sft_error error;
    assert_status(sft_model_open(f.path, NULL, &model, &error), SFT_NO_SHARDS);
    assert_string_equal(error.file, f.path);
    assert_status(sft_model_open(folder_path(&f, "x.index.json"), NULL, &model, &error),
                  SFT_OPEN_FAILED);
    assert_status(sft_model_open(folder_path(&f, "x"), NULL, &model, &error), SFT_OPEN_FAILED);
    assert_status(sft_model_open(NULL, NULL, &model, &error), SFT_INVALID_ARGUMENT);
    assert_status(sft_model_open_files(NULL, 0, NULL, &model, &error), SFT_INVALID_ARGUMENT);
    const char *const hole[] = {NULL};
    assert_status(sft_model_open_files(hole, 1, NULL, &model, &error), SFT_INVALID_ARGUMENT);
    assert_status(sft_model_open(f.path, NULL, NULL, &error), SFT_INVALID_ARGUMENT);
    sft_model_close(NULL);
    folder_remove(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_way_to_open),
        cmocka_unit_test(test_a_relative_path),
        cmocka_unit_test(test_all_defects_are_told),
        cmocka_unit_test(test_total_size),
        cmocka_unit_test(test_an_index_leads_nowhere_else),
        cmocka_unit_test(test_which_index_is_taken),
        cmocka_unit_test(test_what_is_no_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

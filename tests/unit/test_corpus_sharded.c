/* Every model of the corpus that lies in several files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check_model.h"
#include "corpus.h"

static void check_tensors(const corpus_row *row, const sft_model *model) {
    for (uint64_t i = 0; i < sft_model_count(model); i++) {
        sft_model_tensor at;
        sft_model_tensor found;
        assert_true(sft_model_at(model, i, &at));
        const sft_tensor *tensor = at.tensor;
        if (!sft_model_find(model, tensor->name, tensor->name_length, &found) ||
            found.tensor != tensor || found.file != at.file || found.shard != at.shard) {
            fail_msg("%s: a tensor is not found by its name", row->path);
        }
        assert_ptr_equal(sft_model_shard(model, at.shard), at.file);
        assert_non_null(sft_model_shard_path(model, at.shard));
        unsigned char bytes[4];
        assert_int_equal(tensor->end - tensor->begin, sizeof bytes);
        assert_int_equal(sft_read(at.file, tensor, bytes, sizeof bytes, NULL), SFT_OK);
        assert_int_equal(bytes[0], (unsigned char)(7 * tensor->begin + 1));
    }
    sft_model_tensor beyond;
    assert_false(sft_model_at(model, sft_model_count(model), &beyond));
}

static void open_model(const corpus_row *row, const char *how, sft_access access) {
    sft_model_options options = SFT_MODEL_OPTIONS;
    options.access = access;
    sft_error error = {0};
    sft_model *model = NULL;
    sft_status status = sft_model_open(row->path, &options, &model, &error);
    corpus_expect(row, how, status, &error, status == SFT_OK ? sft_model_count(model) : 0);
    if (status == SFT_OK) {
        check_tensors(row, model);
    } else {
        const char *wrong = check_error(&error, status);
        if (wrong != NULL) {
            fail_msg("%s by %s: %s", row->path, how, wrong);
        }
        assert_null(model);
        assert_non_null(strstr(error.file, row->path));
    }
    sft_model_close(model);
}

static void test_every_model(void **state) {
    (void)state;
    FILE *table = corpus_table(CORPUS_FOLDER);
    corpus_row row;
    unsigned models = 0;
    while (corpus_next(table, CORPUS_FOLDER, &row)) {
        if (corpus_is_sharded(&row)) {
            open_model(&row, "mmap", SFT_ACCESS_MAP);
            open_model(&row, "pread", SFT_ACCESS_READ);
            models++;
        }
    }
    assert_int_equal(fclose(table), 0);
    print_message("%u models, by two ways each\n", models);
    assert_true(models >= 40);
}

static void collect(void *context, const sft_error *error) {
    unsigned *found = context;
    assert_null(check_error(error, error->status));
    (*found)++;
}

/* With a callback, opening goes on after the first defect; what it returns is the first. */
static void test_every_defect_is_told(void **state) {
    (void)state;
    FILE *table = corpus_table(CORPUS_FOLDER);
    corpus_row row;
    while (corpus_next(table, CORPUS_FOLDER, &row)) {
        if (!corpus_is_sharded(&row)) {
            continue;
        }
        unsigned found = 0;
        sft_model_options options = SFT_MODEL_OPTIONS;
        options.on_defect = collect;
        options.on_defect_context = &found;
        sft_error error = {0};
        sft_model *model = NULL;
        sft_status status = sft_model_open(row.path, &options, &model, &error);
        corpus_expect(&row, "callback", status, &error,
                      status == SFT_OK ? sft_model_count(model) : 0);
        if (status == SFT_OK) {
            assert_int_equal(found, 0);
        } else if (sft_status_is_defect(status) && found == 0) {
            fail_msg("%s: %s was returned but not told", row.path, sft_status_name(status));
        }
        sft_model_close(model);
    }
    assert_int_equal(fclose(table), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_model),
        cmocka_unit_test(test_every_defect_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

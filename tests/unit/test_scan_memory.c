/* Scans whose memory fails at each place once: nothing is lost, nothing is called clean. */
#define _GNU_SOURCE
#include "fixture.h"

#include "scratch.h"

#include "archive.h"
#include "books.h"
#include "scans.h"

#include <sft/scan.h>

static books kept;

static sft_scan_options failing(sft_allocator *allocator) {
    *allocator = books_allocator(&kept);
    sft_scan_options options = SFT_SCAN_OPTIONS;
    options.allocator = allocator;
    return options;
}

/* Scans the same bytes until no allocation fails any more; what comes out must be as without. */
static void scan_with_failures(const void *from, size_t size, sft_verdict verdict) {
    sft_allocator allocator;
    sft_scan_options options = failing(&allocator);
    for (uint64_t fail_at = 0;; fail_at++) {
        kept = (books){.fail_at = fail_at};
        sft_scan_result *result;
        sft_error error = {.status = SFT_OK};
        sft_status status = sft_scan_memory(from, size, &options, &result, &error);
        if (status == SFT_OK) {
            assert_int_equal(sft_scan_verdict(result), verdict);
            sft_scan_free(result);
        } else {
            assert_string_equal(sft_status_name(status), "NO_MEMORY");
            assert_string_equal(sft_status_name(error.status), "NO_MEMORY");
            assert_null(result);
        }
        assert_int_equal(kept.bytes, 0);
        assert_false(kept.wrong);
        if (fail_at == 0) {
            assert_int_equal(status, SFT_OK);
        } else if (kept.calls < fail_at) {
            break;
        } else {
            assert_int_equal(status, SFT_NO_MEMORY);
        }
    }
}

static void pickles(void **state) {
    (void)state;
    scan_with_failures(BYTES(HARMLESS HARMLESS PAYLOAD), SFT_VERDICT_DANGEROUS);
}

static void texts_for_loaders(void **state) {
    (void)state;
    scan_with_failures(BYTES("\x80\x02"
                             "ctorch.storage\n_load_from_bytes\n"
                             "c_codecs\nencode\nX\x19\0\0\0"
                             "\xc2\x80\x02"
                             "cos\nsystem\nX\x02\0\0\0id\xc2\x85R."
                             "X\x06\0\0\0latin1\x86R\x85R."),
                       SFT_VERDICT_DANGEROUS);
}

static void archives(void **state) {
    (void)state;
    bytes packed = deflated(BYTES(PAYLOAD), -15);
    archive inner = {0};
    archive_add_text(&inner, "a/data.pkl", "N.");
    archive_end(&inner);
    archive made = {0};
    archive_add_text(&made, "a/data.pkl", "N.");
    const archive_file squeezed = {.name = "a/data/0",
                                   .data = packed.at,
                                   .data_size = packed.size,
                                   .size = sizeof PAYLOAD - 1,
                                   .flags = 1,
                                   .method = 8};
    archive_add(&made, &squeezed);
    const archive_file nested = {
        .name = "a/in.zip", .data = inner.file.at, .data_size = inner.file.size};
    archive_add(&made, &nested);
    archive_end(&made);
    scan_with_failures(made.file.at, made.file.size, SFT_VERDICT_DANGEROUS);
    archive_free(&made);
    archive_free(&inner);
    free(packed.at);
}

static void compressed_files(void **state) {
    (void)state;
    bytes packed = deflated(BYTES(PAYLOAD), 15 + 16);
    scan_with_failures(packed.at, packed.size, SFT_VERDICT_DANGEROUS);
    free(packed.at);
}

static void safetensors(void **state) {
    (void)state;
    fixture_file file =
        fixture_make("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4);
    scan_with_failures(file.bytes, file.size, SFT_VERDICT_CLEAN);
    free(file.bytes);
}

static bool count(void *context, const char *path, const sft_scan_result *result,
                  const sft_error *error) {
    (void)path;
    (void)error;
    *(unsigned *)context += result != NULL;
    return true;
}

static void folders(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch("in"), 0700), 0);
    scratch_store("in/a", BYTES(HARMLESS));
    scratch_store("in/b", BYTES(PAYLOAD));
    scratch_store("c", BYTES(HARMLESS));
    sft_allocator allocator;
    sft_scan_options options = failing(&allocator);
    for (uint64_t fail_at = 0;; fail_at++) {
        kept = (books){.fail_at = fail_at};
        unsigned files = 0;
        sft_error error = {.status = SFT_OK};
        sft_status status = sft_scan_tree(scratch("."), &options, count, &files, &error);
        assert_int_equal(kept.bytes, 0);
        assert_false(kept.wrong);
        if (status == SFT_OK) {
            assert_int_equal(files, 3);
        } else {
            assert_string_equal(sft_status_name(status), "NO_MEMORY");
        }
        if (fail_at > 0 && kept.calls < fail_at) {
            break;
        }
        assert_int_equal(status, fail_at == 0 ? SFT_OK : SFT_NO_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pickles),     cmocka_unit_test(texts_for_loaders),
        cmocka_unit_test(archives),    cmocka_unit_test(compressed_files),
        cmocka_unit_test(safetensors), cmocka_unit_test(folders),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}

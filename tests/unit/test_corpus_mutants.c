/*
 * Damage to small files: cut at every byte, and every bit of every header turned over. Nothing
 * may crash, no cut file may open, and whatever opens must hold together and be writable anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check_model.h"
#include "corpus.h"

#define SMALL 1024U

typedef struct tally {
    unsigned files;
    unsigned refused;
    unsigned accepted;
} tally;

/* Opens a damaged file; what is accepted must be sound. */
static sft_status try_bytes(const char *path, const void *bytes, size_t size, tally *count) {
    sft_error error = {0};
    sft_file *file = NULL;
    sft_status status = sft_open_memory(bytes, size, NULL, &file, &error);
    const char *wrong;
    if (status == SFT_OK) {
        wrong = check_header(sft_file_header(file), size);
        wrong = wrong != NULL ? wrong : check_round_trip(file);
        count->accepted++;
    } else {
        wrong = check_error(&error, status);
        if (wrong == NULL && !sft_status_is_defect(status)) {
            wrong = "refused, but not as a defect of the file";
        }
        count->refused++;
    }
    if (wrong != NULL) {
        fail_msg("damaged %s: %s", path, wrong);
    }
    sft_close(file);
    return status;
}

/* Calls `damage` for every small file of the corpus. */
static tally each_small_file(void (*damage)(const corpus_row *row, unsigned char *bytes,
                                            size_t size, tally *count)) {
    FILE *table = corpus_table(CORPUS_FOLDER);
    corpus_row row;
    tally count = {0, 0, 0};
    while (corpus_next(table, CORPUS_FOLDER, &row)) {
        if (corpus_is_sharded(&row)) {
            continue;
        }
        size_t size;
        unsigned char *bytes = corpus_read(row.path, &size);
        if (size <= SMALL) {
            damage(&row, bytes, size, &count);
            count.files++;
        }
        free(bytes);
    }
    assert_int_equal(fclose(table), 0);
    assert_true(count.files > 100);
    return count;
}

static void cut(const corpus_row *row, unsigned char *bytes, size_t size, tally *count) {
    for (size_t length = 0; length < size; length++) {
        unsigned char *shorter = malloc(length > 0 ? length : 1);
        assert_non_null(shorter);
        memcpy(shorter, bytes, length);
        sft_status status = try_bytes(row->path, shorter, length, count);
        if (corpus_is_good(row) && status == SFT_OK) {
            fail_msg("%s opens when it is cut to %zu bytes", row->path, length);
        }
        free(shorter);
    }
}

static void flip(const corpus_row *row, unsigned char *bytes, size_t size, tally *count) {
    uint64_t extent;
    if (sft_header_extent(bytes, size, size, NULL, &extent, NULL) != SFT_OK) {
        extent = size < 8 ? size : 8;
    }
    for (size_t at = 0; at < extent; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[at] ^= (unsigned char)(1U << bit);
            try_bytes(row->path, bytes, size, count);
            bytes[at] ^= (unsigned char)(1U << bit);
        }
    }
}

static void test_cut_at_every_byte(void **state) {
    (void)state;
    tally count = each_small_file(cut);
    print_message("%u files cut at every byte: %u refused, %u accepted\n", count.files,
                  count.refused, count.accepted);
}

static void test_every_bit_turned(void **state) {
    (void)state;
    tally count = each_small_file(flip);
    print_message("%u headers, every bit turned over: %u refused, %u accepted and sound\n",
                  count.files, count.refused, count.accepted);
    assert_true(count.refused > 0 && count.accepted > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_every_bit_turned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

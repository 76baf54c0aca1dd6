/*
 * The header's JSON against jansson, a general parser: the same verdict on syntax, the same names,
 * dtypes, shapes, offsets and metadata, on the whole corpus and on damaged copies of it. What the
 * two may see differently stands in check_jansson.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef SFT_HAVE_JANSSON

#include "check_jansson.h"
#include "corpus.h"

#define SMALL 2048U
#define MUTANTS_A_FILE 400U

typedef struct tally {
    unsigned texts;
    unsigned accepted;
    unsigned malformed;
} tally;

static uint64_t random_state;

/* SplitMix64: the same sequence on every machine. */
static uint64_t random_number(uint64_t below) {
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static void store_length(unsigned char *file, uint64_t length) {
    for (unsigned i = 0; i < 8; i++) {
        file[i] = (unsigned char)(length >> (8 * i));
    }
}

/* `file` is the length and the header; `data` bytes of data would follow. */
static void compare(const char *path, const unsigned char *file, size_t size, uint64_t data,
                    tally *count) {
    sft_header *header = NULL;
    sft_status status = sft_header_parse(file, size, size + data, NULL, &header, NULL);
    const char *text = (const char *)file + 8;
    const char *wrong = check_jansson(text, size - 8, status, header);
    if (wrong != NULL) {
        fail_msg("%s: %s (%s): %.*s", path, wrong, sft_status_name(status), (int)(size - 8), text);
    }
    count->texts++;
    count->accepted += status == SFT_OK;
    count->malformed += status == SFT_INVALID_JSON;
    sft_header_free(header);
}

/* One change to a header: a byte, a piece of JSON, or a stretch taken out or doubled. */
static size_t mutate(unsigned char *text, size_t size, size_t room) {
    static const char *const pieces[] = {"{",
                                         "}",
                                         "[",
                                         "]",
                                         ":",
                                         ",",
                                         "\"",
                                         "\\",
                                         "null",
                                         "true",
                                         "-0",
                                         "1.0",
                                         "1e5",
                                         "1e999",
                                         "01",
                                         " ",
                                         "\n",
                                         "\f",
                                         "{}",
                                         "[]",
                                         "\"\"",
                                         "\\u0000",
                                         "\\ud800",
                                         "\\ud83d\\ude00",
                                         "\\u0061",
                                         "\xc0\xaf",
                                         "\xf0\x9f\x98\x80",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "18446744073709551615",
                                         "-1",
                                         "0",
                                         "1",
                                         "\"x\":1,",
                                         "\"a\":{},",
                                         "\xef\xbb\xbf",
                                         "\x7f",
                                         "\x1f",
                                         "/",
                                         "u"};
    size_t at = (size_t)random_number(size + 1);
    size_t length = (size_t)random_number(12) + 1;
    length = length < size - at ? length : size - at;
    const char *piece = pieces[random_number(sizeof pieces / sizeof pieces[0])];
    size_t piece_size = strlen(piece);
    switch (random_number(5)) {
    case 0: /* a bit turned over */
        if (at < size) {
            text[at] ^= (unsigned char)(1U << random_number(8));
        }
        return size;
    case 1: /* a stretch taken out */
        memmove(text + at, text + at + length, size - at - length);
        return size - length;
    case 2: /* a stretch doubled */
        if (size + length > room) {
            return size;
        }
        memmove(text + at + length, text + at, size - at);
        return size + length;
    case 3: /* a piece in place of a byte */
        if (at < size) {
            memmove(text + at, text + at + 1, size - at - 1);
            size--;
        }
        break;
    default: /* a piece more */
        break;
    }
    if (size + piece_size > room) {
        return size;
    }
    memmove(text + at + piece_size, text + at, size - at);
    for (size_t i = 0; i < piece_size; i++) {
        text[at + i] = (unsigned char)piece[i];
    }
    return size + piece_size;
}

static void compare_mutants(const char *path, const unsigned char *file, size_t size, uint64_t data,
                            tally *count) {
    unsigned char changed[8 + 2 * SMALL];
    for (unsigned i = 0; i < MUTANTS_A_FILE; i++) {
        memcpy(changed, file, size);
        size_t length = size - 8;
        uint64_t changes = random_number(3) + 1;
        while (changes-- > 0) {
            length = mutate(changed + 8, length, sizeof changed - 8);
        }
        store_length(changed, length);
        compare(path, changed, 8 + length, data, count);
    }
}

static void each_header(bool mutants, tally *count) {
    FILE *table = corpus_table(CORPUS_FOLDER);
    corpus_row row;
    while (corpus_next(table, CORPUS_FOLDER, &row)) {
        if (corpus_is_sharded(&row)) {
            continue;
        }
        size_t size;
        unsigned char *bytes = corpus_read(row.path, &size);
        uint64_t extent;
        sft_status status = sft_header_extent(bytes, size, size, NULL, &extent, NULL);
        if (status == SFT_OK && !mutants) {
            compare(row.path, bytes, (size_t)extent, size - extent, count);
        } else if (status == SFT_OK && extent <= SMALL) {
            compare_mutants(row.path, bytes, (size_t)extent, size - extent, count);
        }
        free(bytes);
    }
    assert_int_equal(fclose(table), 0);
}

static void test_corpus(void **state) {
    (void)state;
    tally count = {0, 0, 0};
    each_header(false, &count);
    print_message("%u headers: %u accepted, %u malformed\n", count.texts, count.accepted,
                  count.malformed);
    assert_true(count.texts > 300 && count.accepted > 100 && count.malformed > 50);
}

static void test_mutants(void **state) {
    (void)state;
    random_state = 1;
    tally count = {0, 0, 0};
    each_header(true, &count);
    print_message("%u damaged headers: %u accepted, %u malformed\n", count.texts, count.accepted,
                  count.malformed);
    assert_true(count.accepted > 1000 && count.malformed > 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_mutants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_without_jansson(void **state) {
    (void)state;
    print_message("skipped: jansson 2.14 (Debian: libjansson-dev) was not found\n");
    skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_jansson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif

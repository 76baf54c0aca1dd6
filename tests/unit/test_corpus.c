/* Every file of the corpus, by every way to open it: the status, the byte, the number of tensors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check_model.h"
#include "corpus.h"

/* Bytes that tell the header's length, and what a file is that has none. */
#define FIRST_LOOK 64U

typedef struct memory_source {
    const unsigned char *bytes;
    uint64_t size;
    uint64_t delivered;
    uint64_t furthest;
    int closed;
} memory_source;

static int source_size(void *context, uint64_t *size) {
    const memory_source *source = context;
    *size = source->size;
    return 0;
}

/* Gives at most seven bytes for small requests: short reads are the rule here. */
static int64_t source_read_at(void *context, uint64_t offset, void *to, size_t size) {
    memory_source *source = context;
    if (offset >= source->size) {
        return 0;
    }
    uint64_t most = source->size - offset;
    most = most < size ? most : size;
    if (most < 4096) {
        most = most < 7 ? most : 7;
    }
    memcpy(to, source->bytes + offset, (size_t)most);
    source->delivered += most;
    if (offset + most > source->furthest) {
        source->furthest = offset + most;
    }
    return (int64_t)most;
}

static void source_close(void *context) {
    memory_source *source = context;
    source->closed++;
}

static void check_opened(const corpus_row *row, const char *how, sft_status status,
                         const sft_error *error, sft_file *file) {
    corpus_expect(row, how, status, error, status == SFT_OK ? sft_count(file) : 0);
    const char *wrong = status == SFT_OK ? check_header(sft_file_header(file), sft_file_size(file))
                                         : check_error(error, status);
    if (wrong != NULL) {
        fail_msg("%s by %s: %s", row->path, how, wrong);
    }
    if (status != SFT_OK) {
        assert_null(file);
        assert_true(sft_status_is_defect(status));
        assert_non_null(sft_status_text(status));
    }
}

static void open_path(const corpus_row *row, const char *how, sft_access access) {
    sft_open_options options = SFT_OPEN_OPTIONS;
    options.access = access;
    sft_error error = {0};
    sft_file *file = NULL;
    sft_status status = sft_open(row->path, &options, &file, &error);
    check_opened(row, how, status, &error, file);
    if (status != SFT_OK) {
        assert_string_equal(error.file, row->path);
    }
    sft_close(file);
}

static void open_memory(const corpus_row *row, const void *bytes, size_t size) {
    sft_error error = {0};
    sft_file *file = NULL;
    sft_status status = sft_open_memory(bytes, size, NULL, &file, &error);
    check_opened(row, "memory", status, &error, file);
    if (status == SFT_OK) {
        const char *wrong = check_round_trip(file);
        if (wrong != NULL) {
            fail_msg("%s: %s", row->path, wrong);
        }
    }
    sft_close(file);
}

static void open_source(const corpus_row *row, const unsigned char *bytes, size_t size) {
    memory_source memory = {bytes, size, 0, 0, 0};
    sft_source source = {&memory, source_size, source_read_at, NULL, source_close};
    sft_error error = {0};
    sft_file *file = NULL;
    sft_status status = sft_open_source(&source, NULL, &file, &error);
    check_opened(row, "callbacks", status, &error, file);
    if (status == SFT_OK) {
        /* Opening reads the header and, beyond the first look, nothing of the data. */
        uint64_t start = sft_header_data_start(sft_file_header(file));
        assert_true(memory.furthest <= (start > FIRST_LOOK ? start : FIRST_LOOK));
        assert_true(memory.delivered <= start + FIRST_LOOK);
        assert_int_equal(memory.closed, 0);
    }
    assert_true(memory.delivered <= size + FIRST_LOOK);
    sft_close(file);
    assert_int_equal(memory.closed, 1);
}

static sft_status parse_header(const corpus_row *row, const void *bytes, size_t size) {
    sft_error error = {0};
    sft_header *header = NULL;
    sft_status outcome = sft_header_parse(bytes, size, size, NULL, &header, &error);
    corpus_expect(row, "header", outcome, &error, outcome == SFT_OK ? sft_header_count(header) : 0);
    sft_header_free(header);

    /* The header alone, as it comes from a server, gives the same verdict. */
    uint64_t extent;
    if (sft_header_extent(bytes, size, size, NULL, &extent, NULL) == SFT_OK) {
        void *beginning = malloc((size_t)extent);
        assert_non_null(beginning);
        memcpy(beginning, bytes, (size_t)extent);
        header = NULL;
        sft_status status =
            sft_header_parse(beginning, (size_t)extent, size, NULL, &header, &error);
        corpus_expect(row, "header alone", status, &error,
                      status == SFT_OK ? sft_header_count(header) : 0);
        sft_header_free(header);
        header = NULL;
        assert_int_equal(sft_header_parse(beginning, (size_t)extent - 1, size, NULL, &header, NULL),
                         SFT_BUFFER_SIZE);
        free(beginning);
    }
    return outcome;
}

/* Every defect that a file can have by itself, without a limit of the caller's, is in the corpus.
 */
static void check_all_statuses(const bool *seen) {
    for (int status = SFT_HEADER_TOO_SMALL; status <= SFT_RANK_TOO_LARGE; status++) {
        if (!seen[status] && status != SFT_TOO_MANY_TENSORS) {
            fail_msg("no file of the corpus gives %s", sft_status_name((sft_status)status));
        }
    }
}

static void test_every_file(void **state) {
    (void)state;
    bool seen[SFT_MEMORY_LIMIT] = {false};
    FILE *table = corpus_table(CORPUS_FOLDER);
    corpus_row row;
    unsigned good = 0;
    unsigned bad = 0;
    while (corpus_next(table, CORPUS_FOLDER, &row)) {
        if (corpus_is_sharded(&row)) {
            continue;
        }
        size_t size;
        unsigned char *bytes = corpus_read(row.path, &size);
        open_path(&row, "mmap", SFT_ACCESS_MAP);
        open_path(&row, "pread", SFT_ACCESS_READ);
        open_memory(&row, bytes, size);
        open_source(&row, bytes, size);
        seen[parse_header(&row, bytes, size)] = true;
        free(bytes);
        if (corpus_is_good(&row)) {
            good++;
        } else {
            bad++;
        }
    }
    assert_int_equal(fclose(table), 0);
    check_all_statuses(seen);
    print_message("%u good and %u bad files, by five ways each\n", good, bad);
    assert_true(good >= 100 && bad >= 150);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Files made to cost time or memory: the same verdicts, in memory that the header bounds. Time is
 * not judged, save that an alarm ends what hangs.
 */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <signal.h>
#include <unistd.h>

#include "check_model.h"
#include "corpus.h"

/* Peak memory for the header: so many times its bytes, and so many more. */
#define TIMES 12U
#define MORE (UINT64_C(64) << 10)

typedef struct meter {
    uint64_t now;
    uint64_t peak;
} meter;

static char folder[] = "/tmp/sft-large-XXXXXX";

static void count_in(meter *use, uint64_t size) {
    use->now += size;
    if (use->now > use->peak) {
        use->peak = use->now;
    }
}

static void *meter_allocate(void *context, size_t size) {
    count_in(context, size);
    return malloc(size);
}

static void *meter_reallocate(void *context, void *memory, size_t old_size, size_t new_size) {
    meter *use = context;
    use->now -= old_size;
    count_in(use, new_size);
    return realloc(memory, new_size);
}

static void meter_release(void *context, void *memory, size_t size) {
    meter *use = context;
    use->now -= size;
    free(memory);
}

static void measure(const corpus_row *row, uint64_t *worst) {
    size_t size;
    unsigned char *bytes = corpus_read(row->path, &size);
    meter use = {0, 0};
    sft_allocator allocator = {&use, meter_allocate, meter_reallocate, meter_release};
    sft_header_options options = SFT_HEADER_OPTIONS;
    options.allocator = &allocator;
    sft_error error = {0};
    sft_header *header = NULL;
    sft_status status = sft_header_parse(bytes, size, size, &options, &header, &error);
    corpus_expect(row, "header", status, &error, status == SFT_OK ? sft_header_count(header) : 0);
    const char *wrong = status == SFT_OK ? check_header(header, size) : check_error(&error, status);
    if (wrong != NULL) {
        fail_msg("%s: %s", row->path, wrong);
    }
    sft_header_free(header);
    if (use.peak > TIMES * (uint64_t)size + MORE) {
        fail_msg("%s: %zu bytes took %" PRIu64 " bytes of memory", row->path, size, use.peak);
    }
    if (use.now != 0) {
        fail_msg("%s: %" PRIu64 " bytes were not given back", row->path, use.now);
    }
    uint64_t tenths = size > 0 ? use.peak * 10 / size : 0;
    *worst = size > MORE && tenths > *worst ? tenths : *worst;
    free(bytes);
}

static void hangs(int signal_number) {
    (void)signal_number;
    static const char text[] = "a large file took longer than the alarm allows\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(1);
}

static void test_large_files(void **state) {
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "python3 tests/files/generate.py --large %s", folder);
    if (system(command) != 0) { /* NOLINT(cert-env33-c): a fixed command of the repository */
        print_message("skipped: python3 could not make the large files\n");
        skip();
    }
    FILE *table = corpus_table(folder);
    corpus_row row;
    uint64_t worst = 0;
    unsigned files = 0;
    while (corpus_next(table, folder, &row)) {
        alarm(10);
        measure(&row, &worst);
        alarm(0);
        files++;
    }
    assert_int_equal(fclose(table), 0);
    print_message("%u large files; at most %" PRIu64 ".%" PRIu64 " bytes of memory a byte\n", files,
                  worst / 10, worst % 10);
    assert_true(files >= 25);
}

/* A length that is only claimed takes no memory. */
static void test_small_files_take_little(void **state) {
    (void)state;
    FILE *table = corpus_table(CORPUS_FOLDER);
    corpus_row row;
    uint64_t worst = 0;
    while (corpus_next(table, CORPUS_FOLDER, &row)) {
        if (!corpus_is_sharded(&row)) {
            measure(&row, &worst);
        }
    }
    assert_int_equal(fclose(table), 0);
}

static int make_folder(void **state) {
    (void)state;
    signal(SIGALRM, hangs);
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place) {
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static int remove_folder(void **state) {
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_files),
        cmocka_unit_test(test_small_files_take_little),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

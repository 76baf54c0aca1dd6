/*
 * What a header costs: parsing it, opening its file, looking its tensors up.
 *
 *   header_bench make FILE COUNT     makes a file of COUNT tensors
 *   header_bench parse FILE COUNT    sft_header_parse() of its header, from memory
 *   header_bench lookup FILE COUNT   sft_open(), then sft_find() of every name in file order
 *   header_bench shuffle FILE COUNT  the same with the names shuffled
 *   header_bench list FILE COUNT     sft_open(), then every name in file order
 *
 * All but `make` print one JSON object: seconds of the first run in the process, and the
 * median of those that follow.
 */
#define _POSIX_C_SOURCE 200809L /* ftruncate, clock_gettime */

#include <errno.h>
#include <inttypes.h>
#include <sft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REPEATS 7

static void die(const char *what, const char *why) {
    fprintf(stderr, "header_bench: %s: %s\n", what, why);
    exit(1);
}

static void die_of(const sft_error *error) {
    char line[2048];
    sft_error_format(error, line, sizeof line);
    die("libsft", line);
}

static void *take(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        die("malloc", "no memory");
    }
    return memory;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- make ---- */

typedef struct entry {
    char name[80];
    uint64_t rows;
    uint64_t columns; /* 0: the tensor has one dimension */
} entry;

/* A mixture-of-experts model: a few tensors a layer for attention and norms, many for experts. */
static void name_entry(entry *e, uint64_t number) {
    static const struct {
        const char *name;
        uint64_t rows, columns;
    } shared[] = {
        {"input_layernorm.weight", 2048, 0},          {"mlp.gate.weight", 338, 2048},
        {"post_attention_layernorm.weight", 2048, 0}, {"self_attn.k_proj.weight", 512, 2048},
        {"self_attn.o_proj.weight", 2048, 2048},      {"self_attn.q_proj.weight", 2048, 2048},
        {"self_attn.v_proj.weight", 512, 2048},
    };
    static const char *const projections[] = {"down", "gate", "up"};
    enum { SHARED = sizeof shared / sizeof shared[0], EXPERTS = 338 };
    uint64_t layer = number / (SHARED + 3 * EXPERTS);
    uint64_t place = number % (SHARED + 3 * EXPERTS);
    if (place < SHARED) {
        snprintf(e->name, sizeof e->name, "model.layers.%" PRIu64 ".%s", layer, shared[place].name);
        e->rows = shared[place].rows;
        e->columns = shared[place].columns;
        return;
    }
    uint64_t projection = (place - SHARED) % 3;
    snprintf(e->name, sizeof e->name,
             "model.layers.%" PRIu64 ".mlp.experts.%" PRIu64 ".%s_proj.weight", layer,
             (place - SHARED) / 3, projections[projection]);
    e->rows = projection == 0 ? 2048 : 1408;
    e->columns = projection == 0 ? 1408 : 2048;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

static entry *name_all(uint64_t count) {
    entry *entries = take(count * sizeof *entries);
    for (uint64_t i = 0; i < count; i++) {
        name_entry(&entries[i], i);
    }
    qsort(entries, count, sizeof *entries, by_name);
    return entries;
}

/* Writes the JSON behind the room for its length, and says how many bytes of data it describes. */
static uint64_t print_header(FILE *file, const entry *entries, uint64_t count) {
    uint64_t at = 0;
    fputs("{\"__metadata__\":{\"format\":\"pt\"}", file);
    for (uint64_t i = 0; i < count; i++) {
        const entry *e = &entries[i];
        uint64_t size = 2 * e->rows * (e->columns > 0 ? e->columns : 1);
        fprintf(file, ",\"%s\":{\"dtype\":\"BF16\",\"shape\":[%" PRIu64, e->name, e->rows);
        if (e->columns > 0) {
            fprintf(file, ",%" PRIu64, e->columns);
        }
        fprintf(file, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at, at + size);
        at += size;
    }
    fputc('}', file);
    return at;
}

/* The data is a hole: the file takes no more of the disk than its header. */
static void make(const char *path, uint64_t count) {
    entry *entries = name_all(count);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fseek(file, 8, SEEK_SET) != 0) {
        die(path, strerror(errno));
    }
    uint64_t data = print_header(file, entries, count);
    while (ftell(file) % 8 != 0) {
        fputc(' ', file);
    }
    uint64_t length = (uint64_t)ftell(file) - 8;
    rewind(file);
    for (unsigned i = 0; i < 8; i++) {
        fputc((int)(length >> (8 * i) & 0xff), file);
    }
    if (fflush(file) != 0 || ftruncate(fileno(file), (off_t)(8 + length + data)) != 0) {
        die(path, strerror(errno));
    }
    fclose(file);
    free(entries);
    printf("{\"tensors\":%" PRIu64 ",\"header_bytes\":%" PRIu64 "}\n", count, length);
}

/* ---- what is measured ---- */

typedef struct task {
    const char *path;
    void *bytes; /* the beginning of the file, header included */
    size_t size;
    uint64_t file_size;
    entry *names;
    uint64_t count;
} task;

/* Each returns seconds; freeing is not in the clock. `sum` keeps the compiler honest. */
typedef double (*timed)(const task *t, uint64_t *sum);

static double time_parse(const task *t, uint64_t *sum) {
    sft_header *header;
    sft_error error;
    double start = now();
    sft_status status = sft_header_parse(t->bytes, t->size, t->file_size, NULL, &header, &error);
    double end = now();
    if (status != SFT_OK) {
        die_of(&error);
    }
    *sum += sft_header_count(header);
    sft_header_free(header);
    return end - start;
}

static sft_file *open_file(const task *t) {
    sft_file *file;
    sft_error error;
    if (sft_open(t->path, NULL, &file, &error) != SFT_OK) {
        die_of(&error);
    }
    return file;
}

static double time_lookup(const task *t, uint64_t *sum) {
    double start = now();
    sft_file *file = open_file(t);
    for (uint64_t i = 0; i < t->count; i++) {
        const char *name = t->names[i].name;
        const sft_tensor *tensor = sft_find(file, name, strlen(name));
        if (tensor == NULL) {
            die(name, "not found");
        }
        *sum += tensor->begin;
    }
    double end = now();
    sft_close(file);
    return end - start;
}

static double time_list(const task *t, uint64_t *sum) {
    double start = now();
    sft_file *file = open_file(t);
    uint64_t count = sft_count(file);
    for (uint64_t i = 0; i < count; i++) {
        const sft_tensor *tensor = sft_at(file, i);
        *sum += tensor->name_length + (unsigned char)tensor->name[tensor->name_length - 1];
    }
    double end = now();
    sft_close(file);
    return end - start;
}

/* ---- the frame ---- */

/* The same order in every process. */
static void shuffle(entry *entries, uint64_t count) {
    uint64_t state = 1;
    for (uint64_t i = count; i > 1; i--) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t j = (state >> 33) % i;
        entry last = entries[i - 1];
        entries[i - 1] = entries[j];
        entries[j] = last;
    }
}

/* The header's bytes are in memory, and in the page cache, before any clock starts. */
static void read_bytes(task *t) {
    FILE *file = fopen(t->path, "rb");
    unsigned char prefix[8];
    if (file == NULL || fread(prefix, 1, sizeof prefix, file) != sizeof prefix) {
        die(t->path, "cannot be read");
    }
    for (unsigned i = 0; i < 8; i++) {
        t->size |= (size_t)prefix[i] << (8 * i);
    }
    t->size += 8;
    t->bytes = take(t->size);
    rewind(file);
    if (fread(t->bytes, 1, t->size, file) != t->size || fseeko(file, 0, SEEK_END) != 0) {
        die(t->path, "cannot be read");
    }
    t->file_size = (uint64_t)ftello(file);
    fclose(file);
}

static int by_seconds(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const task *t, timed run) {
    uint64_t sum = 0;
    double again[REPEATS];
    double first = run(t, &sum);
    for (int i = 0; i < REPEATS; i++) {
        again[i] = run(t, &sum);
    }
    qsort(again, REPEATS, sizeof *again, by_seconds);
    printf("{\"first_s\":%.9f,\"again_s\":%.9f,\"bytes\":%zu,\"sum\":%" PRIu64 "}\n", first,
           again[REPEATS / 2], t->size - 8, sum);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        timed run;
    } modes[] = {{"parse", time_parse},
                 {"lookup", time_lookup},
                 {"shuffle", time_lookup},
                 {"list", time_list}};
    if (argc == 4 && strcmp(argv[1], "make") == 0) {
        make(argv[2], strtoull(argv[3], NULL, 10));
        return 0;
    }
    for (size_t i = 0; argc == 4 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            task t = {.path = argv[2], .count = strtoull(argv[3], NULL, 10)};
            read_bytes(&t);
            t.names = name_all(t.count);
            if (strcmp(argv[1], "shuffle") == 0) {
                shuffle(t.names, t.count);
            }
            measure(&t, modes[i].run);
            free(t.bytes);
            free(t.names);
            return 0;
        }
    }
    fputs("usage: header_bench make|parse|lookup|shuffle|list FILE COUNT\n", stderr);
    return 64;
}

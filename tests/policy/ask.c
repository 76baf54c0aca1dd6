/*
 * The policy as a program, for the tests in Python:
 *   rows      prints every row: class, module, name ("*" for all of a module) and the flags as a
 *             number, tabs between
 *   names     reads lines "module<tab>name" and prints the class of each
 *   python2   reads such lines and prints what Python 3's unpickler makes of each
 *   judge     reads a pickle and prints its judgements, a line each
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle/judge.h"

static const char *class_name(sft_policy_class class) {
    static const char *const names[] = {"unknown", "allowed", "inert", "dangerous"};
    return names[class];
}

static int print_rows(void) {
    static const sft_policy_table *const tables[] = {&sft_policy_names, &sft_policy_records,
                                                     &sft_policy_dangers};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const sft_policy_entry *row = &tables[t]->rows[i];
            printf("%s\t%s\t%s\t%u\n", class_name(row->class), row->module,
                   row->name != NULL ? row->name : "*", (unsigned)row->flags);
        }
    }
    return 0;
}

/* Reads pairs, and answers each in a line. */
static int answer_pairs(bool python2) {
    char line[1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (tab == NULL) {
            fprintf(stderr, "no tab in \"%s\"\n", line);
            return 1;
        }
        sft_pair pair = {line, (size_t)(tab - line), tab + 1, strlen(tab + 1)};
        sft_pair mapped;
        if (python2) {
            sft_python2_name(&pair, &mapped);
            printf("%.*s\t%.*s\n", (int)mapped.module_length, mapped.module,
                   (int)mapped.name_length, mapped.name);
        } else {
            printf("%s\n", class_name(sft_policy_ask(NULL, &pair).class));
        }
    }
    return 0;
}

typedef struct stream {
    char *bytes;
    uint64_t size;
} stream;

static sft_status read_stream(void *context, uint64_t offset, void *to, uint64_t size,
                              sft_error *error) {
    const stream *s = context;
    (void)error;
    memcpy(to, s->bytes + offset, (size_t)size);
    return SFT_OK;
}

static bool print_judgement(void *context, const sft_judgement *judgement) {
    (void)context;
    printf("%s\t%s\n", judgement->code, judgement->detail);
    return true;
}

/* All of standard input; ends the program where there is no memory. */
static stream read_input(void) {
    stream s = {NULL, 0};
    size_t got;
    do {
        char *more = realloc(s.bytes, (size_t)s.size + 65536);
        if (more == NULL) {
            abort();
        }
        s.bytes = more;
        got = fread(s.bytes + s.size, 1, 65536, stdin);
        s.size += got;
    } while (got > 0);
    return s;
}

static int judge(void) {
    stream s = read_input();
    sft_pickle_input input = {&s, read_stream, s.size};
    sft_judge how = {.input = &input, .input_size = s.size, .found = print_judgement};
    sft_pickle pickle;
    sft_status status = sft_pickle_read(&pickle, &input, 0, NULL, NULL);
    if (status == SFT_OK && pickle.end != SFT_PICKLE_STOPPED) {
        printf("BROKEN\t%s\n", pickle.what);
    }
    status = status == SFT_OK ? sft_judge_pickle(&pickle, &how, NULL) : status;
    sft_pickle_free(&pickle);
    free(s.bytes);
    return status == SFT_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    const char *mode = argc == 2 ? argv[1] : "";
    if (strcmp(mode, "rows") == 0) {
        return print_rows();
    }
    if (strcmp(mode, "names") == 0 || strcmp(mode, "python2") == 0) {
        return answer_pairs(strcmp(mode, "python2") == 0);
    }
    if (strcmp(mode, "judge") == 0) {
        return judge();
    }
    fprintf(stderr, "usage: policy_ask rows|names|python2|judge\n");
    return 64;
}

/* SPDX-License-Identifier: MIT */
/* listing.c - see listing.h. */
#include "lab/listing.h"

#include <stdlib.h>
#include <string.h>

#include "lab/annotate.h"

#define PREFIX  "emit: "
#define COLD    "cold part of "
#define HEX_AT  15u /* behind PREFIX: four blanks, the offset, a blank */
#define TEXT_AT 38u /* and 22 digits, a blank */

void listing_take(struct listing *t, char *text)
{
    struct line *l = &t->line[t->count];

    if (t->count == LINES_MAX || strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return;
    text += strlen(PREFIX);
    if (strncmp(text, COLD, strlen(COLD)) == 0)
        *l = (struct line){.kind = COLD_PART, .text = text};
    else if (text[0] != ' ')
        *l = (struct line){.kind = GUEST, .at = (uint32_t)strtoul(text, &l->text, 16)};
    else if (strlen(text) > TEXT_AT)
        *l = (struct line){
            .kind = HOST, .at = (uint32_t)strtoul(text, NULL, 16), .text = text + TEXT_AT};
    else
        return;
    if (l->kind == GUEST) {
        char *end;
        l->at = (uint32_t)strtoul(text, &end, 16);
        l->text = end + (*end == ' ');
    }
    t->count++;
}

bool listing_find(const struct listing *t, uint32_t eip, unsigned *first, unsigned *end)
{
    bool cold = false, here = false;
    uint32_t last = 0;

    *first = 0;
    for (unsigned n = 0; n < t->count; n++) {
        const struct line *l = &t->line[n];
        bool begins = l->kind == GUEST && (cold || l->at <= last || l->at > last + 15);
        if (begins && here) {
            *end = n;
            return true;
        }
        if (begins) {
            *first = n;
            cold = false;
        }
        if (l->kind == GUEST)
            last = l->at;
        cold |= l->kind == COLD_PART;
        here |= l->kind == GUEST && l->at == eip;
    }
    *end = t->count;
    return here;
}

void listing_print(FILE *f, const struct listing *t, const struct bt_stubs *stubs, uint32_t eip,
                   unsigned first, unsigned end)
{
    const char *guest = "", *left = "", *mark = "  ";
    uint32_t cold = 0;

    for (unsigned n = first; n < end; n++)
        if (t->line[n].kind == COLD_PART && n + 1 < end)
            cold = t->line[n + 1].at;
    fprintf(f, "   %-30s %-40s %s\n", "guest", "host", "what for");
    for (unsigned n = first; n < end; n++) {
        const struct line *l = &t->line[n];
        bool alone = n + 1 == end || t->line[n + 1].kind != HOST;
        char note[128];
        if (l->kind == COLD_PART) {
            fprintf(f, "   (the cold part)\n");
            guest = left = "";
            mark = "  ";
        } else if (l->kind == GUEST) {
            guest = left = l->text;
            mark = l->at == eip ? "->" : "  ";
            if (alone)
                fprintf(f, "%s %-30s %-40s %s\n", mark, left, "", "nothing is left of it");
        } else {
            struct host_line h = {.guest = guest,
                                  .text = l->text,
                                  .next = alone ? "" : t->line[n + 1].text,
                                  .at = l->at,
                                  .cold = cold};
            annotate(stubs, &h, note, sizeof note);
            fprintf(f, note[0] ? "%s %-30s %-40s %s\n" : "%s %-30s %s\n", mark, left, l->text,
                    note);
            left = "";
            mark = "  ";
        }
    }
}

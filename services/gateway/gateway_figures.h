#ifndef SKEIN_GATEWAY_GATEWAY_FIGURES_H
#define SKEIN_GATEWAY_GATEWAY_FIGURES_H

/*
 * Figures of the whole process, computed when they are read: the gauges of
 * /metrics, and the figures about the node that router gets. Thread: the main
 * worker's.
 */

struct app;
struct node_figures;

/* Once, at the start. */
void gateway_figures_add(struct app *app);

/* For the registration; `arg` is the struct app. */
void gateway_figures_of_node(struct node_figures *out, void *arg);

#endif

"""The table: median, range, and how TaskFlow compares with the references and the peers."""
import statistics

US = "taskflow"
BARE = "bare-evhttp"


def number(v):
    return f"{v:,.0f}" if abs(v) >= 100 else f"{v:.1f}" if abs(v) >= 10 else f"{v:.3f}"


def with_costs(rows):
    """CPU per 10,000 tasks, and that of a whole life (added one by one, and processed), as rows of their own."""
    lives, costs = {}, []
    for row in rows:
        if "cpu_s_per_10k_total" not in row:
            continue
        cost = row["cpu_s_per_10k_total"]
        costs.append({**row, "metric": "cpu_s_per_10k " + row["metric"], "value": cost, "unit": "s"})
        for group, seconds in row["cpu_s_per_10k"].items():
            costs.append({**row, "metric": f"cpu_s_per_10k {row['metric']} {group}", "value": seconds, "unit": "s"})
        if row["metric"] in ("enqueue_c32", "process"):
            lives.setdefault((row["peer"], row["rep"]), {})[row["metric"]] = cost
    for (peer, rep), parts in lives.items():
        if len(parts) == 2:
            costs.append({"peer": peer, "rep": rep, "metric": "cpu_s_per_10k life", "value": sum(parts.values()), "unit": "s"})
    return rows + costs


def table(rows):
    values, units, peers = {}, {}, []
    for row in with_costs([r for r in rows if "value" in r]):
        values.setdefault(row["metric"], {}).setdefault(row["peer"], []).append(row["value"])
        units.setdefault(row["metric"], row["unit"])
        if row["peer"] not in (US, BARE) and row["peer"] not in peers:
            peers.append(row["peer"])
    others = [BARE, *peers]
    lines = [["metric", "unit", "median", "min-max", *(f"/ {peer}" for peer in others)]]
    for metric, by_peer in values.items():
        if US not in by_peer:
            continue
        ours = by_peer[US]
        median = statistics.median(ours)
        theirs = [statistics.median(by_peer[peer]) if peer in by_peer else 0 for peer in others]
        lines.append([metric, units[metric], number(median), f"{number(min(ours))}-{number(max(ours))}",
                      *(number(median / v) if v else "-" for v in theirs)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines[:1] + [["---"] * len(lines[0])] + lines[1:])

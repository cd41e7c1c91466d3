"""
The HorizontalPodAutoscaler, as its documentation and the API reference of autoscaling/v2 describe it, for
external metrics with an AverageValue, and KEDA's redis trigger in front of it. Time is a number of seconds
that the caller gives, so that a test can shorten it.
"""
import math
from fractions import Fraction


class Autoscaler:
    """behavior: of the HPA, from the ScaledObject; seconds in it are divided by the factor."""

    def __init__(self, behavior, targets, least, most, factor=1):
        self.up, self.down = behavior["scaleUp"], behavior["scaleDown"]
        self.targets, self.least, self.most, self.factor = targets, least, most, factor
        self.recommended = []       # (when, how many), before stabilisation
        self.changes = []           # (when, by how many)

    def desired_by(self, value, target, current):
        """Nothing changes within 10 % of the target."""
        if current > 0 and abs(1 - value / (target * current)) <= 0.1 + 1e-12:
            return current
        return math.ceil(value / target)

    def raw(self, values, current):
        """The largest of all metrics; with one that failed it may only rise."""
        known = [self.desired_by(v, t, current) for v, t in zip(values, self.targets) if v is not None]
        if not known:
            return current
        desired = max(known)
        if len(known) < len(values) and desired < current:
            return current
        return min(max(desired, self.least), self.most)

    def stabilise(self, now, desired, current):
        up_window = self.up["stabilizationWindowSeconds"] / self.factor
        down_window = self.down["stabilizationWindowSeconds"] / self.factor
        up = down = desired
        for when, how_many in self.recommended:
            if when > now - up_window:
                up = min(up, how_many)
            if when > now - down_window:
                down = max(down, how_many)
        self.recommended.append((now, desired))
        if current < up:
            return up
        if current > down:
            return down
        return current

    def changed_since(self, now, period, sign):
        """Replicas added (1) or removed (-1) within a period."""
        return sum(abs(n) for when, n in self.changes if n * sign > 0 and when > now - period / self.factor)

    def limit(self, now, current, rules, sign):
        limits = []
        for policy in rules["policies"]:
            start = current - sign * self.changed_since(now, policy["periodSeconds"], sign)
            if policy["type"] == "Pods":
                limits.append(start + sign * policy["value"])
            elif sign > 0:
                limits.append(math.ceil(start * (1 + policy["value"] / 100)))
            else:
                limits.append(math.floor(start * (1 - policy["value"] / 100)))
        largest = rules["selectPolicy"] == "Max"
        return max(limits) if largest == (sign > 0) else min(limits)

    def decide(self, now, values, current):
        """How many replicas there shall be."""
        desired = self.stabilise(now, self.raw(values, current), current)
        if desired > current:
            desired = min(desired, max(self.limit(now, current, self.up, 1), current), self.most)
        elif desired < current:
            desired = max(desired, min(self.limit(now, current, self.down, -1), current), self.least)
        if desired != current:
            self.changes.append((now, desired - current))
        return desired


def again(behavior, targets, bounds, factor, past, now, values, current):
    """
    The same decision from the whole past, in whole numbers and without a state: past is a list of
    (when, values, current, decision). It shares no line with the class above.
    """
    least, most = bounds

    def recommendation(numbers, have):
        wishes, missing = [], False
        for number, target in zip(numbers, targets):
            if number is None:
                missing = True
            elif have and 9 * target * have <= 10 * number <= 11 * target * have:
                wishes.append(have)
            else:
                wishes.append(-(-number // target))
        if not wishes or missing and max(wishes) < have:
            return have
        return sorted((least, max(wishes), most))[1]

    def within(seconds):
        return [row for row in past if (now - row[0]) * factor < seconds]

    mine = recommendation(values, current)
    floor = min([mine] + [recommendation(v, c) for _, v, c, _ in
                          within(behavior["scaleUp"]["stabilizationWindowSeconds"])])
    ceiling = max([mine] + [recommendation(v, c) for _, v, c, _ in
                            within(behavior["scaleDown"]["stabilizationWindowSeconds"])])
    wish = floor if floor > current else ceiling if ceiling < current else current
    if wish == current:
        return current
    rules = behavior["scaleUp" if wish > current else "scaleDown"]
    reach = []
    for policy in rules["policies"]:
        steps = [d - c for _, _, c, d in within(policy["periodSeconds"])]
        before = current - sum(s for s in steps if (s > 0) == (wish > current))
        way = policy["value"] if policy["type"] == "Pods" else Fraction(before * policy["value"], 100)
        reach.append(math.ceil(before + way) if wish > current else math.floor(before - way))
    if wish > current:
        return min(wish, max(current, max(reach)), most)
    return max(wish, min(current, min(reach)), least)

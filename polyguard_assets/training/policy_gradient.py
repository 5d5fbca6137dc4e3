"""The exact policy gradient over a prompt's candidates, and what it says about the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

# Rewards of a group that differ by less than this carry no signal.
NO_SIGNAL = 1e-6
SCALE_FLOOR = 1e-4


@dataclass(frozen=True)
class CandidateLoss:
    """Loss of a batch of groups and its numbers.

    Attributes:
        loss: scalar to minimise.
        metrics: means over the groups: reward (expected under the policy), greedy_reward, oracle_reward,
            uniform_reward, best_rate, entropy (nats), frac_reward_zero_std, kl when there is a reference.
        probabilities: of each group's candidates, detached.
    """

    loss: torch.Tensor
    metrics: dict[str, float]
    probabilities: tuple[torch.Tensor, ...]


def candidate_loss(
    scores: Sequence[torch.Tensor],
    rewards: Sequence[torch.Tensor],
    *,
    temperature: float = 1.0,
    scale_rewards: bool = True,
    target_temperature: float = 0.0,
    entropy_coefficient: float = 0.0,
    reference: Sequence[torch.Tensor] | None = None,
    kl_coefficient: float = 0.0,
) -> CandidateLoss:
    """GRPO's group loss when the group is every candidate, weighted by the policy.

    With π = softmax(scores / temperature) and V = Σ π R, the loss is −Σ π (R − V) log π, the weights
    held constant: the gradient of the expected reward without sampling noise. That gradient fades where
    the policy gives good candidates little weight. With a `target_temperature` τ > 0 the loss is instead
    the cross-entropy −Σ q log π to the improved policy q = softmax(A / τ) of the advantages A, the policy
    that is best for Σ q A + τ H(q) (maximum a posteriori policy optimisation, Abdolmaleki et al. 2018,
    with a uniform prior over the candidates): a candidate is learned from however unlikely it was.

    Args:
        scores: log-likelihood of each candidate, one tensor per prompt.
        rewards: reward of each candidate, 0-1, same shapes.
        scale_rewards: divide advantages by the standard deviation of the group's rewards.
        target_temperature: temperature of the improved policy, in units of advantage; 0 follows the gradient.
        reference: scores of the policy that training began from; None for no KL term.
    """
    losses, probabilities, numbers = [], [], []
    for place, (score, reward) in enumerate(zip(scores, rewards, strict=True)):
        log_policy = torch.log_softmax(score.float() / temperature, -1)
        policy = log_policy.exp()
        fixed = policy.detach()
        reward = reward.to(fixed)
        expected = (fixed * reward).sum()
        spread = reward.std(correction=0)
        advantage = reward - expected
        if scale_rewards:
            advantage = advantage / (spread + SCALE_FLOOR)
        if spread < NO_SIGNAL:
            weight = torch.zeros_like(advantage)
        elif target_temperature:
            weight = torch.softmax(advantage / target_temperature, -1)
        else:
            weight = fixed * advantage
        entropy = -(policy * log_policy).sum()
        loss = -(weight * log_policy).sum() - entropy_coefficient * entropy
        kl = score.new_zeros(())
        if reference is not None:
            log_reference = torch.log_softmax(reference[place].float() / temperature, -1)
            kl = (policy * (log_policy - log_reference)).sum()
            loss = loss + kl_coefficient * kl
        losses.append(loss)
        probabilities.append(fixed)
        greedy = reward[fixed.argmax()]
        best = reward.max()
        numbers.append(
            torch.stack(
                [
                    expected, greedy, best, reward.mean(), (greedy >= best - NO_SIGNAL).float(),
                    entropy.detach(), (spread < NO_SIGNAL).float(), kl.detach(),
                ]
            )
        )  # fmt: skip
    names = [
        "reward", "greedy_reward", "oracle_reward", "uniform_reward", "best_rate",
        "entropy", "frac_reward_zero_std", "kl",
    ]  # fmt: skip
    metrics = dict(zip(names, torch.stack(numbers).mean(0).tolist(), strict=True))
    if reference is None:
        del metrics["kl"]
    return CandidateLoss(torch.stack(losses).mean(), metrics, tuple(probabilities))


def split_scores(
    candidate: torch.Tensor, lengths: torch.Tensor, group_sizes: Sequence[int], length_normalise: bool = False
) -> tuple[torch.Tensor, ...]:
    """Per-prompt scores from a packed batch's candidate sums; means per token when `length_normalise`."""
    if length_normalise:
        candidate = candidate / lengths.to(candidate)
    return torch.split(candidate, list(group_sizes))

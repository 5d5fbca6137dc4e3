"""The candidate loss follows the gradient of the expected reward."""

from __future__ import annotations

import pytest
import torch

from polyguard_assets.training.policy_gradient import candidate_loss, split_scores

SCORES = torch.tensor([0.3, -1.0, 0.8, 0.0])
REWARDS = torch.tensor([0.9, 0.2, 0.4, 0.1])


def test_gradient_is_that_of_the_expected_reward() -> None:
    score = SCORES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(candidate_loss([score], [REWARDS], scale_rewards=False).loss, score)
    (expected,) = torch.autograd.grad(-(score.softmax(-1) * REWARDS).sum(), score)
    assert torch.allclose(gradient, expected, atol=1e-6)


def test_scaling_makes_the_gradient_independent_of_the_rewards_spread() -> None:
    gradients = []
    for rewards in (REWARDS, 0.5 + REWARDS / 10):
        score = SCORES.clone().requires_grad_()
        gradients.append(torch.autograd.grad(candidate_loss([score], [rewards]).loss, score)[0])
    assert torch.allclose(gradients[0], gradients[1], rtol=2e-2, atol=1e-4)


def test_equal_rewards_teach_nothing_and_are_counted() -> None:
    score = SCORES.clone().requires_grad_()
    outcome = candidate_loss([score], [torch.full((4,), 0.5)])
    assert outcome.metrics["frac_reward_zero_std"] == 1.0
    assert torch.autograd.grad(outcome.loss, score)[0].abs().max() == 0


def test_descent_reaches_the_best_candidate() -> None:
    score = SCORES.clone().requires_grad_()
    optimiser = torch.optim.SGD([score], lr=1.0)
    for _ in range(200):
        optimiser.zero_grad()
        outcome = candidate_loss([score], [REWARDS])
        outcome.loss.backward()
        optimiser.step()
    assert outcome.metrics["reward"] == pytest.approx(0.9, abs=0.02)
    assert outcome.metrics["best_rate"] == 1.0


def test_target_teaches_a_good_candidate_however_unlikely_it_was() -> None:
    scores = torch.tensor([-12.0, 0.0, 0.0, 0.0])
    pulls = []
    for temperature in (0.0, 0.5):
        score = scores.clone().requires_grad_()
        loss = candidate_loss([score], [REWARDS], target_temperature=temperature).loss
        pulls.append(-torch.autograd.grad(loss, score)[0][0].item())
    assert 0 < pulls[0] < 1e-3
    assert pulls[1] > 0.5


def test_target_is_the_softmax_of_the_advantages() -> None:
    advantage = (REWARDS - REWARDS.mean()) / REWARDS.std(correction=0)
    score = (advantage / 0.5).clone().requires_grad_()
    loss = candidate_loss([score], [REWARDS], target_temperature=0.5).loss
    assert torch.autograd.grad(loss, score)[0].abs().max() < 1e-3
    equal = SCORES.clone().requires_grad_()
    flat = candidate_loss([equal], [torch.full((4,), 0.5)], target_temperature=0.5)
    assert torch.autograd.grad(flat.loss, equal)[0].abs().max() == 0


def test_divergence_from_itself_is_zero_and_holds_a_policy_back() -> None:
    reference = [SCORES.clone()]
    same = candidate_loss([SCORES], [REWARDS], reference=reference, kl_coefficient=1.0)
    assert same.metrics["kl"] == pytest.approx(0.0, abs=1e-6)
    moved = SCORES.clone() + torch.tensor([2.0, 0, 0, 0])
    moved.requires_grad_()
    loss = candidate_loss([moved], [torch.full((4,), 0.5)], reference=reference, kl_coefficient=1.0)
    assert loss.metrics["kl"] > 0
    assert torch.autograd.grad(loss.loss, moved)[0][0] > 0


def test_entropy_bonus_flattens() -> None:
    score = SCORES.clone().requires_grad_()
    loss = candidate_loss([score], [torch.full((4,), 0.5)], entropy_coefficient=1.0).loss
    (gradient,) = torch.autograd.grad(loss, score)
    assert gradient[SCORES.argmax()] > 0 > gradient[SCORES.argmin()]


def test_scores_split_by_prompt_and_normalise_by_length() -> None:
    sums, lengths = torch.tensor([-2.0, -6.0, -3.0]), torch.tensor([2, 3, 1])
    assert [part.tolist() for part in split_scores(sums, lengths, [2, 1])] == [[-2.0, -6.0], [-3.0]]
    assert [part.tolist() for part in split_scores(sums, lengths, [2, 1], True)] == [[-1.0, -2.0], [-3.0]]

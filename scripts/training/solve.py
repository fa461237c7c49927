"""Two ways to fit a linear model on sparse columns: ridge for what is a quantity, logistic for what is a kind."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg


def ridge(x: sp.csr_matrix, y: np.ndarray, weight: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, float]:
    """(coefficients, intercept) of the weighted ridge regression; `penalty` is per column, the intercept has none."""
    mean = float(weight @ y / weight.sum())
    weighted = (x.T @ sp.diags(weight)).tocsr()
    diagonal = np.asarray(x.multiply(x).T @ weight).ravel() + penalty
    size = x.shape[1]
    system = LinearOperator((size, size), matvec=lambda v: weighted @ (x @ v) + penalty * v)
    start = LinearOperator((size, size), matvec=lambda v: v / diagonal)
    solution, _ = cg(system, weighted @ (y - mean), M=start, rtol=1e-5, maxiter=400)
    return solution, mean


def logistic(x: sp.csr_matrix, kinds: np.ndarray, weight: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(coefficients per kind, intercepts) of the weighted multinomial logistic regression. `kinds` are 0 … k-1."""
    size, many = x.shape[1], int(kinds.max()) + 1
    truth = np.eye(many)[kinds]
    transposed = x.T.tocsr()

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(size + 1, many)
        logits = x @ table[:-1] + table[-1]
        logits -= logits.max(1, keepdims=True)
        odds = np.exp(logits)
        chance = odds / odds.sum(1, keepdims=True)
        value = -float(weight @ np.log(np.maximum(chance[np.arange(len(kinds)), kinds], 1e-12)))
        value += 0.5 * float((penalty[:, None] * table[:-1] ** 2).sum())
        slope = (chance - truth) * weight[:, None]
        gradient = np.vstack([transposed @ slope + penalty[:, None] * table[:-1], slope.sum(0)])
        return value, gradient.ravel()

    found = minimize(loss, np.zeros((size + 1) * many), jac=True, method="L-BFGS-B", options={"maxiter": 150, "maxcor": 10})
    table = found.x.reshape(size + 1, many)
    return table[:-1], table[-1]

import { expect, it } from 'vitest'
import { findHead } from '../../../src/client/model/head'
import * as g from '../../../src/graph'

const parts = () => {
  const graph = g.createGraph()
  const features = g.input(graph, 'h', [1, 3])
  const [weight, turned, bias] = [
    g.parameter(graph, 'w', [3, 2]),
    g.parameter(graph, 'v', [2, 3]),
    g.parameter(graph, 'b', [2]),
  ]
  return { features, weight, turned, bias, trained: [weight, turned, bias] }
}

it('finds weight and bias of a dense layer', () => {
  const { features, weight, bias, trained } = parts()
  expect(findHead(g.add(g.matMul(features, weight), bias), trained)).toEqual({ weight: 0, bias: 2 })
})

it('finds the weight of a layer without bias', () => {
  const { features, weight, trained } = parts()
  expect(findHead(g.matMul(features, weight), trained)).toEqual({ weight: 0, bias: undefined })
})

it('finds the bias beside a weight kept as [classes, features]', () => {
  const { features, turned, bias, trained } = parts()
  expect(findHead(g.add(g.matMul(features, g.swapLast(turned)), bias), trained)).toEqual({ weight: undefined, bias: 2 })
})

it('finds nothing in a model that does not end in a dense layer', () => {
  const { features, trained } = parts()
  const head = findHead(g.sigmoid(features), trained)
  expect([head.weight, head.bias]).toEqual([undefined, undefined])
})
